// What does a select cost, when it need not wait and when it must?
package main

var selectWorkloads = []workload{
	{"select2_ready", "ns/op", select2Ready},
	{"select_default", "ns/op", selectDefault},
	{"select_blocking", "ns/round trip", selectBlocking},
}

// One of two channels is ready; the case that runs makes the other one ready. An op is the select and that send.
func select2Ready(r *runState) {
	n := r.count(200000, 100)
	a := make(chan int, 1)
	b := make(chan int, 1)
	ns := r.medianNs(7, func() {
		a <- 0
		fromA, fromB := 0, 0
		for i := 0; i < n; i++ {
			select {
			case v := <-a:
				fromA++
				b <- v + 1
			case v := <-b:
				fromB++
				a <- v + 1
			}
		}
		last := 0
		select {
		case last = <-a:
		case last = <-b:
		}
		require(last == n && fromA+fromB == n && fromA-fromB <= 1 && fromA >= fromB, "%d hops, %d + %d", last, fromA, fromB)
	})
	r.report(ns / float64(n))
}

// A receive from an empty channel and a send to a full one, each with a default that runs. An op is one select.
func selectDefault(r *runState) {
	n := r.count(1000000, 100)
	empty := make(chan int, 1)
	full := make(chan int, 1)
	full <- 7
	ns := r.medianNs(7, func() {
		defaults := 0
		for i := 0; i < n; i++ {
			select {
			case <-empty:
			default:
				defaults++
			}
			select {
			case full <- i:
			default:
				defaults++
			}
		}
		require(defaults == 2*n, "%d defaults", defaults)
	})
	require(len(empty) == 0 && <-full == 7, "a channel changed")
	r.report(ns / float64(2*n))
}

// Two goroutines answer each other over two channels in turn; each waits for both, and the value is never there
// yet. An op is a round trip: two selects that park, two sends that wake one.
func selectBlocking(r *runState) {
	n := r.count(100000, 100)
	ns := r.medianNs(7, func() {
		ping := [2]chan int{make(chan int, 1), make(chan int, 1)}
		pong := [2]chan int{make(chan int, 1), make(chan int, 1)}
		go func() {
			a, b, x, y := ping[0], ping[1], pong[0], pong[1]
			for i := 0; i < n; i++ {
				select {
				case v := <-a:
					x <- v + 1
				case v := <-b:
					y <- v + 1
				}
			}
		}()
		sum, strays := 0, 0
		for i := 0; i < n; i++ {
			ping[i%2] <- i
			from, v := 0, 0
			select {
			case v = <-pong[0]:
			case v = <-pong[1]:
				from = 1
			}
			if from != i%2 {
				strays++
			}
			sum += v
		}
		require(sum == n*(n+1)/2 && strays == 0, "sum of the answers is %d, %d strays", sum, strays)
	})
	r.report(ns / float64(n))
}
