// The Go twin of R02: the document's loop with a Gosched in each step, and without.
// Arguments: STEPS ROUNDS.
package main

import (
	"runtime"

	"pirn/lab/measure"
)

func main() {
	n, rounds := measure.Int(1), measure.Int(2)
	yielding, plain := 0, 0
	measure.InTurns(rounds, float64(n),
		measure.Form{Name: "yielding_ns", Work: func() {
			sum := 0
			for i := 0; i < n; i++ {
				sum += i * i
				runtime.Gosched()
			}
			yielding = sum
		}},
		measure.Form{Name: "plain_ns", Work: func() {
			sum := 0
			for i := 0; i < n; i++ {
				sum += i * i
			}
			plain = sum
		}, Check: func() { measure.Require(yielding == plain, "a wrong sum") }})
}
