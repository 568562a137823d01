// The Go twin of S16: WaitGroup.Add inside the goroutine, with retries until all is there, and before it.
// Arguments: N ROUNDS.
package main

import (
	"fmt"
	"sync"
	"sync/atomic"

	"pirn/lab/measure"
)

var runs, incomplete, retries int
var misuse int64

func square(i int) int64 { return int64(i+1) * int64(i+1) }

// The document's bug. Where the WaitGroup reports it, by a panic that leaves its waiter behind, the caller goes on.
func addInside(out []int64, items []int) {
	var wg sync.WaitGroup
	reported := make(chan struct{}, len(items))
	for _, i := range items {
		go func(i int) {
			defer func() {
				if recover() != nil {
					atomic.AddInt64(&misuse, 1)
					atomic.StoreInt64(&out[i], square(i))
					reported <- struct{}{}
				}
			}()
			wg.Add(1)
			defer wg.Done()
			atomic.StoreInt64(&out[i], square(i))
		}(i)
	}
	waited := make(chan struct{})
	go func() {
		wg.Wait()
		close(waited)
	}()
	select {
	case <-waited:
	case <-reported:
	}
}

func addBefore(out []int64, items []int) {
	var wg sync.WaitGroup
	wg.Add(len(items))
	for _, i := range items {
		go func(i int) {
			defer wg.Done()
			atomic.StoreInt64(&out[i], square(i))
		}(i)
	}
	wg.Wait()
}

func missing(out []int64) []int {
	var result []int
	for i := range out {
		if atomic.LoadInt64(&out[i]) == 0 {
			result = append(result, i)
		}
	}
	return result
}

func withRetries(items []int) {
	out := make([]int64, len(items))
	runs++
	addInside(out, items)
	left := missing(out)
	if len(left) > 0 {
		incomplete++
	}
	for ; len(left) > 0; left = missing(out) {
		retries++
		addInside(out, left)
	}
}

func main() {
	n, rounds := measure.Int(1), measure.Int(2)
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	var out []int64
	measure.InTurns(rounds, float64(n),
		measure.Form{Name: "add_inside_ns", Work: func() { withRetries(items) }},
		measure.Form{Name: "add_before_ns", Work: func() {
			out = make([]int64, n)
			addBefore(out, items)
		}, Check: func() {
			for i := range out {
				measure.Require(out[i] == square(i), "a wrong result")
			}
		}})
	fmt.Println("runs", runs)
	fmt.Println("incomplete", incomplete)
	fmt.Println("retries", retries)
	fmt.Println("misuse_reported", atomic.LoadInt64(&misuse))
}
