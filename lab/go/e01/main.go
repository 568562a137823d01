// The Go twin of E01: two goroutines that hand a turn to each other.
// Arguments: goroutines LOOPS.
package main

import (
	"fmt"
	"syscall"
	"time"

	"pirn/lab/measure"
)

func main() {
	loops := measure.Int(2)
	there, back := make(chan int), make(chan int)
	go func() {
		for turn := range there {
			back <- turn + 1
		}
	}()
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	start := time.Now()
	turn := 0
	for i := 0; i < loops; i++ {
		there <- turn
		turn = <-back
	}
	elapsed := time.Since(start)
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	measure.Require(turn == loops, "a turn was lost")
	handovers := 2 * float64(loops)
	fmt.Println("each_ns", float64(elapsed.Nanoseconds())/handovers)
	fmt.Println("voluntary_switches", float64(after.Nvcsw-before.Nvcsw)/handovers)
	fmt.Println("involuntary_switches", float64(after.Nivcsw-before.Nivcsw)/handovers)
}
