// The Go twin of E06: counting primes with a goroutine per number, and with one worker per P fed by a channel.
// Arguments: N ROUNDS.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func isPrime(n uint64) bool {
	if n < 2 {
		return false
	}
	for d := uint64(2); d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return true
}

func perNumber(numbers []uint64) int64 {
	var count atomic.Int64
	var wg sync.WaitGroup
	wg.Add(len(numbers))
	for _, n := range numbers {
		n := n
		go func() {
			defer wg.Done()
			if isPrime(n) {
				count.Add(1)
			}
		}()
	}
	wg.Wait()
	return count.Load()
}

func bounded(numbers []uint64) int64 {
	workers := runtime.GOMAXPROCS(0)
	jobs := make(chan uint64)
	results := make(chan int64, workers)
	var wg sync.WaitGroup
	wg.Add(workers)
	for i := 0; i < workers; i++ {
		go func() {
			defer wg.Done()
			var local int64
			for n := range jobs {
				if isPrime(n) {
					local++
				}
			}
			results <- local
		}()
	}
	for _, n := range numbers {
		jobs <- n
	}
	close(jobs)
	wg.Wait()
	close(results)
	var total int64
	for partial := range results {
		total += partial
	}
	return total
}

func timed(count func([]uint64) int64, numbers []uint64, found *int64) float64 {
	start := time.Now()
	*found = count(numbers)
	return float64(time.Since(start).Nanoseconds()) / 1e6
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	rounds, _ := strconv.Atoi(os.Args[2])
	numbers := make([]uint64, n)
	for i := range numbers {
		numbers[i] = uint64(i + 1)
	}
	var slow, good []float64
	var found, foundBounded int64
	for i := 0; i < rounds; i++ {
		slow = append(slow, timed(perNumber, numbers, &found))
		good = append(good, timed(bounded, numbers, &foundBounded))
	}
	fmt.Println("per_number_ms", median(slow))
	fmt.Println("bounded_ms", median(good))
	fmt.Println("per_number_primes", found)
	fmt.Println("bounded_primes", foundBounded)
}
