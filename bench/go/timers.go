// What do timers cost to move, to arm and disarm, and how late do sleepers wake, many and alone?
package main

import (
	"sync"
	"time"
)

var timerWorkloads = []workload{
	{"timer_reset", "ns/op", timerReset},
	{"timer_start_stop", "ns/op", timerStartStop},
	{"sleep_100k", "ms", sleepMany},
	{"sleep_100k_cold", "ms", sleepManyCold},
	{"sleep_50us_overshoot", "us", sleepOvershoot},
}

func timerReset(r *runState) {
	n := r.count(300000, 100)
	t := time.NewTimer(time.Hour)
	ns := r.medianNs(7, func() {
		active := 0
		for i := 0; i < n; i++ {
			if t.Reset(time.Hour) {
				active++
			}
		}
		require(active == n, "%d of %d resets found the timer running", active, n)
	})
	require(t.Stop(), "the timer was not running at the end")
	r.report(ns / float64(n))
}

func timerStartStop(r *runState) {
	n := r.count(100000, 100)
	ns := r.medianNs(7, func() {
		stopped := 0
		for i := 0; i < n; i++ {
			t := time.NewTimer(time.Hour)
			if t.Stop() {
				stopped++
			}
		}
		require(stopped == n, "%d of %d timers stopped", stopped, n)
	})
	r.report(ns / float64(n))
}

const manySleep = 100 * time.Millisecond

func sleepAll(n int) float64 {
	clearSlots(n)
	start := time.Now()
	var wg sync.WaitGroup
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			time.Sleep(manySleep)
			slots[i]++
			wg.Done()
		}()
	}
	wg.Wait()
	took := time.Since(start)
	requireSlots(n)
	require(took >= manySleep, "all woke after %v", took)
	return float64(took.Nanoseconds()) / 1e6
}

func sleepMany(r *runState) {
	n := r.count(100000, 1000)
	sleepAll(n)
	var times []float64
	for round := 0; round < r.count(5, 1); round++ {
		times = append(times, sleepAll(n))
	}
	r.report(median(times))
}

func sleepManyCold(r *runState) {
	r.report(sleepAll(r.count(100000, 1000)))
}

func sleepOvershoot(r *runState) {
	const asked = 50 * time.Microsecond
	n := r.count(1000, 10)
	var late []float64
	for i := -n / 10; i < n; i++ {
		start := time.Now()
		time.Sleep(asked)
		took := time.Since(start)
		require(took >= asked, "woke after %v", took)
		if i >= 0 {
			late = append(late, float64((took-asked).Nanoseconds())/1e3)
		}
	}
	r.report(median(late))
}
