// What does a lock cost, free and fought over?
package main

import "sync"

var mutexWorkloads = []workload{
	{"mutex_uncontended", "ns/op", mutexUncontended},
	{"mutex_contended8", "ns/op", mutexContended},
}

// Both on the heap and behind a pointer, so that neither compiler knows that nobody else looks.
type guarded struct {
	mu      sync.Mutex
	counter int
}

func mutexUncontended(r *runState) {
	n := r.count(2000000, 100)
	g := new(guarded)
	ns := r.medianNs(7, func() {
		before := g.counter
		for i := 0; i < n; i++ {
			g.mu.Lock()
			g.counter++
			g.mu.Unlock()
		}
		require(g.counter-before == n, "counted %d", g.counter-before)
	})
	r.report(ns / float64(n))
}

func mutexContended(r *runState) {
	const crowd = 8
	each := r.count(50000, 100)
	g := new(guarded)
	ns := r.medianNs(7, func() {
		before := g.counter
		var wg sync.WaitGroup
		wg.Add(crowd)
		for k := 0; k < crowd; k++ {
			go func() {
				for i := 0; i < each; i++ {
					g.mu.Lock()
					g.counter++
					g.mu.Unlock()
				}
				wg.Done()
			}()
		}
		wg.Wait()
		require(g.counter-before == crowd*each, "counted %d", g.counter-before)
	})
	r.report(ns / float64(crowd*each))
}
