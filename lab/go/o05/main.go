// The Go twin of O05: a handler with a goroutine for each of two fetches, and one that does the second fetch itself.
// Arguments: TICKS ROUNDS.
package main

import (
	"fmt"
	"runtime/metrics"
	"sync"
	"time"

	"pirn/lab/measure"
)

const clients, tick, steps = 4, 80 * time.Microsecond, 1000

func fetch(id, from uint64) uint64 {
	x := id ^ from
	for i := 0; i < steps; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

func handleWithTwo(id uint64) uint64 {
	var wg sync.WaitGroup
	var a, b uint64
	wg.Add(2)
	go func() { defer wg.Done(); a = fetch(id, 1) }()
	go func() { defer wg.Done(); b = fetch(id, 2) }()
	wg.Wait()
	return a + b
}

func handleWithOne(id uint64) uint64 {
	var b uint64
	done := make(chan struct{})
	go func() {
		b = fetch(id, 2)
		close(done)
	}()
	a := fetch(id, 1)
	<-done
	return a + b
}

// Goroutines made since the program began; -1 where this Go does not say.
func created() float64 {
	sample := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return -1
	}
	return float64(sample[0].Value.Uint64())
}

func underLoad(ticks int, handle func(uint64) uint64) (calls []float64, spawned, rate float64) {
	each := make([][]float64, clients)
	before := created()
	start := time.Now()
	measure.EachWorker(clients, func(client int) {
		for t := 0; t < ticks; t++ {
			time.Sleep(time.Until(start.Add(time.Duration(t) * tick)))
			id := uint64(t)
			begin := time.Now()
			answer := handle(id)
			each[client] = append(each[client], float64(time.Since(begin).Nanoseconds()))
			measure.Require(answer == fetch(id, 1)+fetch(id, 2), "a wrong answer")
		}
	})
	for _, one := range each {
		calls = append(calls, one...)
	}
	n := float64(len(calls))
	rate = n / time.Since(start).Seconds()
	spawned = (created() - before) / n
	return
}

func main() {
	ticks, rounds := measure.Int(1), measure.Int(2)
	var two, one [][]float64
	var rates, spawnedTwo, spawnedOne []float64
	for i := 0; i < rounds; i++ {
		calls, spawned, rate := underLoad(ticks, handleWithTwo)
		two, spawnedTwo = append(two, calls), append(spawnedTwo, spawned)
		calls, spawned, other := underLoad(ticks, handleWithOne)
		one, spawnedOne = append(one, calls), append(spawnedOne, spawned)
		if other < rate {
			rate = other
		}
		rates = append(rates, rate)
	}
	fmt.Println("calls_per_second", measure.Median(rates))
	if created() >= 0 {
		fmt.Println("spawned_by_two", measure.Median(spawnedTwo))
		fmt.Println("spawned_by_one", measure.Median(spawnedOne))
	}
	measure.PrintLatencies("two_", two)
	measure.PrintLatencies("one_", one)
}
