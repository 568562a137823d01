// What does giving way cost, with nobody else to run and with one other?
package main

import (
	"runtime"
	"sync"
)

var schedWorkloads = []workload{
	{"gosched_alone", "ns/yield", goschedAlone},
	{"gosched_pair", "ns/yield", goschedPair},
}

func goschedAlone(r *runState) {
	n := r.count(400000, 100)
	ns := r.medianNs(7, func() {
		for i := 0; i < n; i++ {
			runtime.Gosched()
		}
	})
	r.report(ns / float64(n))
}

func goschedPair(r *runState) {
	each := r.count(200000, 100)
	var yields [2]struct {
		count int
		_     [120]byte // a cache line each, and the neighbour that is fetched with it
	}
	ns := r.medianNs(7, func() {
		var wg sync.WaitGroup
		wg.Add(2)
		for g := 0; g < 2; g++ {
			mine := &yields[g].count
			*mine = 0
			go func() {
				for i := 0; i < each; i++ {
					runtime.Gosched()
					*mine++
				}
				wg.Done()
			}()
		}
		wg.Wait()
		require(yields[0].count == each && yields[1].count == each, "yields: %d and %d", yields[0].count, yields[1].count)
	})
	r.report(ns / float64(2*each))
}
