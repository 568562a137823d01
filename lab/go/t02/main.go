// The Go twin of T02: spawn N goroutines and wait for them, first cold, then warm.
// Arguments: N ROUNDS. Prints nanoseconds per goroutine.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"
)

func batch(n int) float64 {
	var wg sync.WaitGroup
	wg.Add(n)
	start := time.Now()
	for i := 0; i < n; i++ {
		go func() { wg.Done() }()
	}
	wg.Wait()
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	rounds, _ := strconv.Atoi(os.Args[2])
	fmt.Println("cold_ns", batch(n))
	warm := make([]float64, rounds)
	for i := range warm {
		warm[i] = batch(n)
	}
	sort.Float64s(warm)
	fmt.Println("warm_ns", warm[rounds/2])
}
