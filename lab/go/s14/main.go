// The Go twin of S14: a producer that calls time.Sleep(0) after each event, and one that the channel paces.
// Arguments: N ROUNDS.
package main

import (
	"time"

	"pirn/lab/measure"
)

func sleepingProducer(out chan<- int, source <-chan int) {
	for e := range source {
		out <- e
		time.Sleep(0)
	}
}

func plainProducer(out chan<- int, source <-chan int) {
	for e := range source {
		out <- e
	}
}

func streamed(n int, produce func(chan<- int, <-chan int)) int {
	source, out := make(chan int, 1024), make(chan int, 1024)
	go func() {
		for i := 1; i <= n; i++ {
			source <- i
		}
		close(source)
	}()
	go func() {
		produce(out, source)
		close(out)
	}()
	sum := 0
	for e := range out {
		sum += e
	}
	return sum
}

func main() {
	n, rounds := measure.Int(1), measure.Int(2)
	through := func(produce func(chan<- int, <-chan int)) func() {
		return func() { measure.Require(streamed(n, produce) == n*(n+1)/2, "an event was lost") }
	}
	measure.InTurns(rounds, float64(n),
		measure.Form{Name: "sleep_0_ns", Work: through(sleepingProducer)},
		measure.Form{Name: "channel_paced_ns", Work: through(plainProducer)},
		measure.Form{Name: "sleep_0_alone_ns", Work: func() {
			for i := 0; i < n; i++ {
				time.Sleep(0)
			}
		}})
}
