// What do small whole programs made of goroutines and channels cost: a wide tree and a long pipeline?
package main

import "time"

var appWorkloads = []workload{
	{"skynet_1m", "ms", skynet},
	{"sieve_500", "ms", sieve},
}

// A node of the tree sends up the sum of its leaves' numbers; it has ten children unless it is a leaf.
func skynetNode(up chan<- int, first, leaves int) {
	if leaves == 1 {
		up <- first
		return
	}
	sums := make(chan int)
	for k := 0; k < 10; k++ {
		go skynetNode(sums, first+k*(leaves/10), leaves/10)
	}
	sum := 0
	for k := 0; k < 10; k++ {
		sum += <-sums
	}
	up <- sum
}

func skynet(r *runState) {
	leaves := r.count(1000000, 100)
	rounds := r.count(3, 1)
	var times []float64
	for round := -1; round < rounds; round++ {
		start := time.Now()
		root := make(chan int)
		go skynetNode(root, 0, leaves)
		sum := <-root
		took := time.Since(start)
		require(sum == leaves*(leaves-1)/2, "sum of the leaves is %d", sum)
		if round >= 0 {
			times = append(times, float64(took.Nanoseconds())/1e6)
		}
	}
	r.report(median(times))
}

// One goroutine per prime, each dropping its multiples. The numbers end at the last prime wanted, so that
// the whole chain comes to an end and can be run again.
func sieveOnce(last int) (count, largest int) {
	source := make(chan int)
	go func() {
		for i := 2; i <= last; i++ {
			source <- i
		}
		close(source)
	}()
	numbers := source
	for {
		prime, open := <-numbers
		if !open {
			return
		}
		count++
		largest = prime
		in, out := numbers, make(chan int)
		go func() {
			for v := range in {
				if v%prime != 0 {
					out <- v
				}
			}
			close(out)
		}()
		numbers = out
	}
}

func sieve(r *runState) {
	primes, last := r.count(500, 10), r.count(3571, 29)
	ns := r.medianNs(3, func() {
		count, largest := sieveOnce(last)
		require(count == primes && largest == last, "%d primes up to %d", count, largest)
	})
	r.report(ns / 1e6)
}
