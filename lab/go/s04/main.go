// The Go twin of S04: four goroutines for each request, and a worker for each subtask that stays.
// Arguments: CLIENTS REQUESTS ROUNDS.
package main

import (
	"sync"
	"time"

	"pirn/lab/measure"
)

const subtasks, steps, buffer = 4, 100, 64

type request struct{ id uint64 }
type results [subtasks]uint64

func subtask(r request, kind int) uint64 {
	x := r.id + uint64(kind)
	for i := 0; i < steps; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

func combined(parts *results) uint64 { return parts[0] ^ parts[1] ^ parts[2] ^ parts[3] }

func withSpawns(r request) uint64 {
	var parts results
	var wg sync.WaitGroup
	wg.Add(subtasks)
	for kind := 0; kind < subtasks; kind++ {
		go func(kind int) {
			defer wg.Done()
			parts[kind] = subtask(r, kind)
		}(kind)
	}
	wg.Wait()
	return combined(&parts)
}

type job struct {
	what   request
	result *uint64
	wg     *sync.WaitGroup
}

var pool [subtasks]chan job

func withPool(r request) uint64 {
	var parts results
	var wg sync.WaitGroup
	wg.Add(subtasks)
	for kind := range pool {
		pool[kind] <- job{r, &parts[kind], &wg}
	}
	wg.Wait()
	return combined(&parts)
}

func main() {
	clients, requests, rounds := measure.Int(1), measure.Int(2), measure.Int(3)
	for kind := range pool {
		pool[kind] = make(chan job, buffer)
		go func(kind int) {
			for j := range pool[kind] {
				*j.result = subtask(j.what, kind)
				j.wg.Done()
			}
		}(kind)
	}
	expected := make([]uint64, requests)
	for i := range expected {
		var parts results
		for kind := range parts {
			parts[kind] = subtask(request{uint64(i)}, kind)
		}
		expected[i] = combined(&parts)
	}
	serve := func(handle func(request) uint64) []float64 {
		each := make([][]float64, clients)
		measure.EachWorker(clients, func(client int) {
			for i := 0; i < requests; i++ {
				start := time.Now()
				answer := handle(request{uint64(i)})
				each[client] = append(each[client], float64(time.Since(start).Nanoseconds()))
				measure.Require(answer == expected[i], "a wrong answer")
			}
		})
		var all []float64
		for _, one := range each {
			all = append(all, one...)
		}
		return all
	}
	var spawned, pooled [][]float64
	for i := 0; i < rounds; i++ {
		spawned = append(spawned, serve(withSpawns))
		pooled = append(pooled, serve(withPool))
	}
	measure.PrintLatencies("spawned_", spawned)
	measure.PrintLatencies("pooled_", pooled)
}
