// The Go twin of S07: a cache under one RWMutex, and one of 32 shards; 32 readers and a writer.
// Arguments: GETS ROUNDS.
package main

import (
	"fmt"
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"

	"pirn/lab/measure"
)

const readers, keyCount, shardCount, writePause = 32, 1024, 32, time.Millisecond

type cache interface {
	get(k string) (int, bool)
	set(k string, v int)
}

type lockedCache struct {
	mu sync.RWMutex
	m  map[string]int
	_  [32]byte
}

func newLockedCache() cache { return &lockedCache{m: map[string]int{}} }

func (c *lockedCache) get(k string) (int, bool) {
	c.mu.RLock()
	v, ok := c.m[k]
	c.mu.RUnlock()
	return v, ok
}

func (c *lockedCache) set(k string, v int) {
	c.mu.Lock()
	c.m[k] = v
	c.mu.Unlock()
}

type shardedCache struct{ shards [shardCount]lockedCache }

func newShardedCache() cache {
	c := &shardedCache{}
	for i := range c.shards {
		c.shards[i].m = map[string]int{}
	}
	return c
}

func (c *shardedCache) shardFor(k string) *lockedCache {
	h := fnv.New32a()
	h.Write([]byte(k))
	return &c.shards[h.Sum32()%shardCount]
}

func (c *shardedCache) get(k string) (int, bool) { return c.shardFor(k).get(k) }
func (c *shardedCache) set(k string, v int)      { c.shardFor(k).set(k, v) }

func readAll(c cache, keys []string, gets int) {
	for k, key := range keys {
		c.set(key, k)
	}
	var stop int32
	var writer sync.WaitGroup
	writer.Add(1)
	go func() {
		defer writer.Done()
		for k := 0; atomic.LoadInt32(&stop) == 0; k = (k + 1) % keyCount {
			c.set(keys[k], k)
			time.Sleep(writePause)
		}
	}()
	measure.EachWorker(readers, func(reader int) {
		for i := 0; i < gets; i++ {
			k := (reader*31 + i) % keyCount
			v, ok := c.get(keys[k])
			measure.Require(ok && v == k, "a wrong value")
		}
	})
	atomic.StoreInt32(&stop, 1)
	writer.Wait()
}

func main() {
	gets, rounds := measure.Int(1), measure.Int(2)
	keys := make([]string, keyCount)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
	}
	form := func(name string, make func() cache) measure.Form {
		return measure.Form{Name: name, Work: func() { readAll(make(), keys, gets) }}
	}
	measure.InTurns(rounds, float64(readers*gets), form("one_lock_ns", newLockedCache),
		form("sharded_ns", newShardedCache))
}
