// The Go twin of E04: N goroutines sleep 100 ms each; the whole batch, first cold, then warm.
// Arguments: N ROUNDS.
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
		go func() {
			defer wg.Done()
			time.Sleep(100 * time.Millisecond)
		}()
	}
	wg.Wait()
	return float64(time.Since(start).Nanoseconds()) / 1e6
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	rounds, _ := strconv.Atoi(os.Args[2])
	fmt.Println("cold_ms", batch(n))
	warm := make([]float64, rounds)
	for i := range warm {
		warm[i] = batch(n)
	}
	sort.Float64s(warm)
	fmt.Println("warm_ms", warm[rounds/2])
}
