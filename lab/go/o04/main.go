// The Go twin of O04: a service of requests that each compute for about a millisecond. Arguments: CLIENTS MS.
package main

import (
	"fmt"
	"runtime"
	"sort"
	"time"

	"pirn/lab/measure"
)

const steps, think = 1000000, time.Millisecond

func handle(x uint64) uint64 {
	for i := 0; i < steps; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

func main() {
	clients, duration := measure.Int(1), time.Duration(measure.Int(2))*time.Millisecond
	fmt.Println("gomaxprocs", runtime.GOMAXPROCS(0))
	fmt.Println("num_cpu", runtime.NumCPU())
	expected := handle(7)
	each := make([][]float64, clients)
	start := time.Now()
	measure.EachWorker(clients, func(client int) {
		for time.Since(start) < duration {
			asked := time.Now()
			reply := make(chan uint64, 1)
			go func() { reply <- handle(7) }()
			answer := <-reply
			each[client] = append(each[client], float64(time.Since(asked).Nanoseconds())/1e6)
			measure.Require(answer == expected, "a wrong answer")
			time.Sleep(think)
		}
	})
	seconds := time.Since(start).Seconds()
	var all []float64
	for _, one := range each {
		all = append(all, one...)
	}
	sort.Float64s(all)
	fmt.Println("requests_per_second", float64(len(all))/seconds)
	fmt.Println("p50_ms", all[(len(all)*50+99)/100-1])
	fmt.Println("p99_ms", all[(len(all)*99+99)/100-1])
}
