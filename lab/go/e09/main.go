// The Go twin of E09: counting events through a channel from a goroutine each, and with a partial count per worker.
// Arguments: N ROUNDS.
package main

import (
	"runtime"
	"sync"

	"pirn/lab/measure"
)

func isInteresting(event uint64) bool { return (event*0x9e3779b97f4a7c15)>>62 == 0 }

func countByChannel(events []uint64) int {
	counts := make(chan int)
	for _, event := range events {
		event := event
		go func() {
			if isInteresting(event) {
				counts <- 1
				return
			}
			counts <- 0
		}()
	}
	total := 0
	for range events {
		total += <-counts
	}
	return total
}

func countByPartials(events []uint64) int {
	workers := runtime.GOMAXPROCS(0)
	chunk := (len(events) + workers - 1) / workers
	partials := make([]int, workers)
	var wg sync.WaitGroup
	for w := 0; w < workers; w++ {
		low, high := w*chunk, (w+1)*chunk
		if high > len(events) {
			high = len(events)
		}
		if low >= high {
			continue
		}
		wg.Add(1)
		go func(w, low, high int) {
			defer wg.Done()
			local := 0
			for _, event := range events[low:high] {
				if isInteresting(event) {
					local++
				}
			}
			partials[w] = local
		}(w, low, high)
	}
	wg.Wait()
	total := 0
	for _, partial := range partials {
		total += partial
	}
	return total
}

func main() {
	n, rounds := measure.Int(1), measure.Int(2)
	events := make([]uint64, n)
	expected := 0
	for i := range events {
		events[i] = uint64(i)
		if isInteresting(events[i]) {
			expected++
		}
	}
	counted := func(form func([]uint64) int) func() {
		return func() { measure.Require(form(events) == expected, "a wrong count") }
	}
	measure.InTurns(rounds, float64(n),
		measure.Form{Name: "channel_ns", Work: counted(countByChannel)},
		measure.Form{Name: "partials_ns", Work: counted(countByPartials)})
}
