// What does a goroutine cost from go to gone?
package main

import (
	"bytes"
	"sync"
	"time"
)

var spawnWorkloads = []workload{
	{"spawn_batch", "ns/op", spawnBatch},
	{"spawn_batch_cold", "ns/op", spawnBatchCold},
	{"spawn_join_one", "ns/op", spawnJoinOne},
	{"spawn_parallel", "ns/op each", spawnParallel},
}

// Each goroutine marks its own slot, so that one that never ran, or a wait that came back early, is seen.
var slots [100000]uint8

func clearSlots(n int) {
	for i := 0; i < n; i++ {
		slots[i] = 0
	}
}

func requireSlots(n int) {
	for i := 0; i < n; i++ {
		require(slots[i] == 1, "goroutine %d did not run before the wait returned", i)
	}
}

func spawnAll(n int) {
	var wg sync.WaitGroup
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			slots[i]++
			wg.Done()
		}()
	}
	wg.Wait()
}

func spawnBatch(r *runState) {
	n := r.count(100000, 1000)
	var times []float64
	for round := 0; round < r.count(9, 2); round++ {
		clearSlots(n)
		start := time.Now()
		spawnAll(n)
		took := time.Since(start)
		requireSlots(n)
		if round >= r.count(2, 1) {
			times = append(times, float64(took.Nanoseconds()))
		}
	}
	r.report(median(times) / float64(n))
}

func spawnBatchCold(r *runState) {
	n := r.count(100000, 1000)
	clearSlots(n)
	start := time.Now()
	spawnAll(n)
	took := time.Since(start)
	requireSlots(n)
	r.report(float64(took.Nanoseconds()) / float64(n))
}

func spawnJoinOne(r *runState) {
	n := r.count(50000, 100)
	ns := r.medianNs(7, func() {
		sum := 0
		for i := 0; i < n; i++ {
			var wg sync.WaitGroup
			result := 0
			wg.Add(1)
			go func() {
				result = i
				wg.Done()
			}()
			wg.Wait()
			sum += result
		}
		require(sum == n*(n-1)/2, "sum of the results is %d", sum)
	})
	r.report(ns / float64(n))
}

// One spawner per proc, each with its own crowd.
func spawnParallel(r *runState) {
	each := r.count(50000, 500)
	marks := make([][]uint8, r.procs)
	var times []float64
	for round := -r.count(2, 1); round < r.count(7, 1); round++ {
		for p := range marks {
			marks[p] = make([]uint8, each)
		}
		start := time.Now()
		var spawners sync.WaitGroup
		spawners.Add(r.procs)
		for _, mine := range marks {
			go func() {
				var wg sync.WaitGroup
				wg.Add(each)
				for i := range mine {
					go func() {
						mine[i]++
						wg.Done()
					}()
				}
				wg.Wait()
				spawners.Done()
			}()
		}
		spawners.Wait()
		took := time.Since(start)
		for _, mine := range marks {
			require(bytes.Count(mine, []byte{1}) == each, "a goroutine did not run before the wait returned")
		}
		if round >= 0 {
			times = append(times, float64(took.Nanoseconds()))
		}
	}
	r.report(median(times) / float64(each))
}
