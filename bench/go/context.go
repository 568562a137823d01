// What does it cost to make what can be cancelled, and to cancel it?
package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

var contextWorkloads = []workload{
	{"context_cancel", "ns/op", contextCancel},
	{"context_timeout", "ns/op", contextTimeout},
	{"after_func", "ns/op", afterFunc},
}

// A request's context: one of many below the same root, cancelled when the request is done.
func contextCancel(r *runState) {
	n := r.count(100000, 100)
	root, cancelRoot := context.WithCancel(context.Background())
	defer cancelRoot()
	ns := r.medianNs(7, func() {
		ended := 0
		for i := 0; i < n; i++ {
			ctx, cancel := context.WithCancel(root)
			cancel()
			if ctx.Err() != nil {
				ended++
			}
		}
		require(ended == n, "%d of %d contexts ended", ended, n)
	})
	require(root.Err() == nil, "the root has ended")
	r.report(ns / float64(n))
}

// The same with a deadline that never comes.
func contextTimeout(r *runState) {
	n := r.count(100000, 100)
	root, cancelRoot := context.WithCancel(context.Background())
	defer cancelRoot()
	ns := r.medianNs(7, func() {
		ended := 0
		for i := 0; i < n; i++ {
			ctx, cancel := context.WithTimeout(root, time.Hour)
			cancel()
			if ctx.Err() != nil {
				ended++
			}
		}
		require(ended == n, "%d of %d contexts ended", ended, n)
	})
	r.report(ns / float64(n))
}

// Functions that wait for the end of one context, and run when it comes.
func afterFunc(r *runState) {
	const functions = 100
	rounds := r.count(1000, 5)
	ns := r.medianNs(7, func() {
		for i := 0; i < rounds; i++ {
			var ran atomic.Int64
			var wg sync.WaitGroup
			wg.Add(functions)
			ctx, cancel := context.WithCancel(context.Background())
			for f := 0; f < functions; f++ {
				context.AfterFunc(ctx, func() {
					ran.Add(1)
					wg.Done()
				})
			}
			cancel()
			wg.Wait()
			require(ran.Load() == functions, "%d functions ran", ran.Load())
		}
	})
	r.report(ns / float64(rounds*functions))
}
