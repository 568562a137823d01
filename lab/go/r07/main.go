// The Go twin of R07: tiny goroutines, a pool of one worker per P fed by a channel, and one that takes runs.
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

var wrong int64

func checkedItem() {
	if item() != expected {
		atomic.AddInt64(&wrong, 1)
	}
}

func perItem(n int) {
	var wg sync.WaitGroup
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			defer wg.Done()
			checkedItem()
		}()
	}
	wg.Wait()
}

func byChannel(n int) {
	jobs := make(chan int, 1000)
	var wg sync.WaitGroup
	for w := 0; w < runtime.GOMAXPROCS(0); w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range jobs {
				checkedItem()
			}
		}()
	}
	for i := 0; i < n; i++ {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
}

func byRuns(n int) {
	const run = 100
	var next int64
	measure.EachWorker(runtime.GOMAXPROCS(0), func(int) {
		for {
			high := int(atomic.AddInt64(&next, run))
			for i := high - run; i < high && i < n; i++ {
				checkedItem()
			}
			if high >= n {
				return
			}
		}
	})
}

func alone(n int) {
	for i := 0; i < n; i++ {
		checkedItem()
	}
}

func main() {
	n, rounds := measure.Int(1), measure.Int(2)
	form := func(name string, work func(int)) measure.Form {
		return measure.Form{Name: name, Work: func() { work(n) },
			Check: func() { measure.Require(wrong == 0, "a wrong sum") }}
	}
	measure.InTurns(rounds, float64(n), form("per_item_ns", perItem), form("channel_pool_ns", byChannel),
		form("pooled_ns", byRuns), form("work_ns", alone))
}
