// The Go twin of R07: tiny goroutines, and a pool of one worker per P fed by a channel.
// Arguments: N ROUNDS.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"

	"pirn/lab/measure"
)

const steps, expected = 1000, 1000 * 999 / 2

//go:noinline
func item() int {
	sum := 0
	for j := 0; j < steps; j++ {
		sum += j
	}
	return sum
}

func perItem(n int) int {
	var right int64
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if item() == expected {
				atomic.AddInt64(&right, 1)
			}
		}()
	}
	wg.Wait()
	return int(right)
}

func pooled(n int) int {
	var right int64
	jobs := make(chan int, 1000)
	var wg sync.WaitGroup
	for w := 0; w < runtime.GOMAXPROCS(0); w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mine := int64(0)
			for range jobs {
				if item() == expected {
					mine++
				}
			}
			atomic.AddInt64(&right, mine)
		}()
	}
	for i := 0; i < n; i++ {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	return int(right)
}

func alone(n int) int {
	right := 0
	for i := 0; i < n; i++ {
		if item() == expected {
			right++
		}
	}
	return right
}

func main() {
	n, rounds := measure.Int(1), measure.Int(2)
	done := func(form func(int) int) func() {
		return func() { measure.Require(form(n) == n, "an item is missing or wrong") }
	}
	measure.InTurns(rounds, float64(n),
		measure.Form{Name: "per_item_ns", Work: done(perItem)},
		measure.Form{Name: "pooled_ns", Work: done(pooled)},
		measure.Form{Name: "work_ns", Work: done(alone)})
}
