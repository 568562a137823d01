// The Go twin of O09: the actor counter (one goroutine owns the value, every Add is a send on an unbuffered
// channel), an atomic, and shards of one writer each. Arguments: WORKERS OPS ROUNDS.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

type shard struct {
	value int64
	_     [56]byte
}

func each(workers int, body func(worker int)) {
	var wg sync.WaitGroup
	wg.Add(workers)
	for w := 0; w < workers; w++ {
		go func(w int) {
			defer wg.Done()
			body(w)
		}(w)
	}
	wg.Wait()
}

type actor struct {
	ops  chan int64
	done chan int64
}

func newActor() *actor {
	a := &actor{ops: make(chan int64), done: make(chan int64)}
	go func() {
		var value int64
		for n := range a.ops {
			value += n
		}
		a.done <- value
	}()
	return a
}

func (a *actor) add(n int64) { a.ops <- n }

func (a *actor) finish() int64 {
	close(a.ops)
	return <-a.done
}

func throughChannel(workers, ops int) int64 {
	counter := newActor()
	each(workers, func(int) {
		for i := 0; i < ops; i++ {
			counter.add(1)
		}
	})
	return counter.finish()
}

func throughAtomic(workers, ops int) int64 {
	var counter atomic.Int64
	each(workers, func(int) {
		for i := 0; i < ops; i++ {
			counter.Add(1)
		}
	})
	return counter.Load()
}

func throughShards(workers, ops int) int64 {
	shards := make([]shard, workers)
	each(workers, func(w int) {
		mine := &shards[w].value
		for i := 0; i < ops; i++ {
			atomic.AddInt64(mine, 1)
		}
	})
	var sum int64
	for i := range shards {
		sum += atomic.LoadInt64(&shards[i].value)
	}
	return sum
}

func timed(form func(workers, ops int) int64, workers, ops int) float64 {
	start := time.Now()
	total := form(workers, ops)
	elapsed := time.Since(start)
	if total != int64(workers)*int64(ops) {
		fmt.Fprintln(os.Stderr, "wrong total", total)
		os.Exit(1)
	}
	return float64(elapsed.Nanoseconds()) / float64(workers*ops)
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

func main() {
	workers, _ := strconv.Atoi(os.Args[1])
	ops, _ := strconv.Atoi(os.Args[2])
	rounds, _ := strconv.Atoi(os.Args[3])
	var channel, single, sharded []float64
	for i := 0; i < rounds; i++ {
		channel = append(channel, timed(throughChannel, workers, ops))
		single = append(single, timed(throughAtomic, workers, ops))
		sharded = append(sharded, timed(throughShards, workers, ops))
	}
	fmt.Println("channel_ns", median(channel))
	fmt.Println("atomic_ns", median(single))
	fmt.Println("sharded_ns", median(sharded))
}
