// The Go twin of S13: NumGoroutine on every request, on every 1024th, and never. Arguments: REQUESTS ROUNDS.
package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"pirn/lab/measure"
)

const handlers, sample, steps = 8, 1024, 100

var gauge atomic.Int64

//go:noinline
func handle(id uint64) uint64 {
	x := id
	for i := 0; i < steps; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

func serve(requests, every int, spawns bool) {
	measure.EachWorker(handlers, func(int) {
		var children sync.WaitGroup
		var sum uint64
		for i := 0; i < requests; i++ {
			if every != 0 && i%every == 0 {
				sum += uint64(runtime.NumGoroutine())
			}
			sum += handle(uint64(i))
			if !spawns {
				continue
			}
			children.Add(1)
			go children.Done()
			if i%64 == 63 {
				children.Wait()
			}
		}
		children.Wait()
		gauge.Store(int64(sum))
	})
}

func main() {
	requests, rounds := measure.Int(1), measure.Int(2)
	form := func(name string, every int, spawns bool) measure.Form {
		return measure.Form{Name: name, Work: func() { serve(requests, every, spawns) }}
	}
	counts := 50 * requests
	countOnly := func() {
		measure.EachWorker(handlers, func(int) {
			sum := 0
			for i := 0; i < counts; i++ {
				sum += runtime.NumGoroutine()
			}
			measure.Require(sum >= counts, "less than one goroutine")
		})
	}
	measure.InTurns(rounds, float64(handlers*requests),
		form("quiet_always_ns", 1, false), form("quiet_sampled_ns", sample, false), form("quiet_never_ns", 0, false),
		form("spawning_always_ns", 1, true), form("spawning_sampled_ns", sample, true), form("spawning_never_ns", 0, true))
	measure.InTurns(rounds, float64(handlers*counts), measure.Form{Name: "count_only_ns", Work: countOnly})
	fmt.Println("gomaxprocs", runtime.GOMAXPROCS(0))
}
