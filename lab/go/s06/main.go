// The Go twin of S06: a map owned by a goroutine that others send their writes to, and the map under a mutex.
// Arguments: WRITERS SETS ROUNDS.
package main

import (
	"fmt"
	"runtime"
	"sync"

	"pirn/lab/measure"
)

type setCmd struct {
	k    string
	v    int
	done chan struct{}
}

type set func(k string, v int)

func owned(m map[string]int, use func(set)) {
	cmds := make(chan setCmd)
	ended := make(chan struct{})
	go func() {
		for c := range cmds {
			m[c.k] = c.v
			close(c.done)
		}
		close(ended)
	}()
	use(func(k string, v int) {
		done := make(chan struct{})
		cmds <- setCmd{k, v, done}
		<-done
	})
	close(cmds)
	<-ended
}

func locked(m map[string]int, use func(set)) {
	var mu sync.Mutex
	use(func(k string, v int) {
		mu.Lock()
		m[k] = v
		mu.Unlock()
	})
}

func main() {
	writers, sets, rounds := measure.Int(1), measure.Int(2), measure.Int(3)
	keys := make([]string, 64)
	m := make(map[string]int)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
		m[keys[i]] = -1
	}
	all := func(form func(map[string]int, func(set))) func() {
		return func() {
			form(m, func(set set) {
				measure.EachWorker(writers, func(int) {
					for i := 0; i < sets; i++ {
						set(keys[i%len(keys)], i)
					}
				})
			})
		}
	}
	check := func() {
		for k, key := range keys {
			measure.Require(m[key] >= 0 && m[key]%len(keys) == k, "a value under the wrong key")
			m[key] = -1
		}
	}
	total := float64(writers * sets)
	measure.InTurns(rounds, total,
		measure.Form{Name: "channel_ns", Work: all(owned), Check: check},
		measure.Form{Name: "mutex_ns", Work: all(locked), Check: check})
	allocations := func(work func()) float64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		work()
		runtime.ReadMemStats(&after)
		return float64(after.Mallocs-before.Mallocs) / total
	}
	fmt.Println("channel_allocations", allocations(all(owned)))
	fmt.Println("mutex_allocations", allocations(all(locked)))
}
