// What does a channel operation cost: a hand-off, a buffered one, one nobody waits for, a pipe, a crowd?
package main

import "sync"

var channelWorkloads = []workload{
	{"pingpong_unbuffered", "ns/round trip", func(r *runState) { pingpong(r, 0) }},
	{"pingpong_buffered1", "ns/round trip", func(r *runState) { pingpong(r, 1) }},
	{"pingpong_pairs", "ns/round trip each", pingpongPairs},
	{"chan_uncontended", "ns/op", chanUncontended},
	{"chan_prodcons128", "ns/item", chanProdCons},
	{"chan_mpmc8", "ns/item", chanMpmc},
}

// play makes n round trips; the sum of the answers.
func play(n, capacity int) int {
	ping := make(chan int, capacity)
	pong := make(chan int, capacity)
	go func() {
		for v := range ping {
			pong <- v + 1
		}
		close(pong)
	}()
	sum := 0
	for i := 0; i < n; i++ {
		ping <- i
		sum += <-pong
	}
	close(ping)
	if _, open := <-pong; open {
		return -1
	}
	return sum
}

func pingpong(r *runState, capacity int) {
	n := r.count(100000, 100)
	ns := r.medianNs(7, func() {
		sum := play(n, capacity)
		require(sum == n*(n+1)/2, "sum of the answers is %d", sum)
	})
	r.report(ns / float64(n))
}

// One pair per proc, each on channels of its own.
func pingpongPairs(r *runState) {
	n := r.count(100000, 100)
	sums := make([]int, r.procs)
	ns := r.medianNs(7, func() {
		var wg sync.WaitGroup
		wg.Add(len(sums))
		for p := range sums {
			go func() {
				sums[p] = play(n, 1)
				wg.Done()
			}()
		}
		wg.Wait()
		for _, sum := range sums {
			require(sum == n*(n+1)/2, "sum of a pair's answers is %d", sum)
		}
	})
	r.report(ns / float64(n))
}

func chanUncontended(r *runState) {
	const capacity = 100
	n := r.count(5000, 10)
	c := make(chan int, capacity)
	ns := r.medianNs(7, func() {
		sum := 0
		for i := 0; i < n; i++ {
			for k := 0; k < capacity; k++ {
				c <- k
			}
			for k := 0; k < capacity; k++ {
				sum += <-c
			}
		}
		require(sum == n*(capacity*(capacity-1)/2) && len(c) == 0, "sum of the values is %d", sum)
	})
	r.report(ns / float64(2*capacity*n))
}

func chanProdCons(r *runState) {
	n := r.count(500000, 1000)
	ns := r.medianNs(7, func() {
		c := make(chan int, 128)
		go func() {
			for i := 0; i < n; i++ {
				c <- i
			}
			close(c)
		}()
		expected := 0
		for v := range c {
			require(v == expected, "got %d in place of %d", v, expected)
			expected++
		}
		require(expected == n, "%d items arrived", expected)
	})
	r.report(ns / float64(n))
}

func chanMpmc(r *runState) {
	const crowd = 8
	each := r.count(50000, 100)
	n := crowd * each
	ns := r.medianNs(5, func() {
		c := make(chan int, 128)
		sums := make(chan int, crowd)
		var producers sync.WaitGroup
		producers.Add(crowd)
		for p := 0; p < crowd; p++ {
			go func() {
				for i := 0; i < each; i++ {
					c <- p*each + i
				}
				producers.Done()
			}()
		}
		for k := 0; k < crowd; k++ {
			go func() {
				sum := 0
				for v := range c {
					sum += v
				}
				sums <- sum
			}()
		}
		producers.Wait()
		close(c)
		total := 0
		for k := 0; k < crowd; k++ {
			total += <-sums
		}
		require(total == n*(n-1)/2, "sum of the items is %d", total)
	})
	r.report(ns / float64(n))
}
