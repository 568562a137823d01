// The Go twin of S03: a sum over items with a Gosched after each, and without.
// Arguments: N ROUNDS.
package main

import (
	"runtime"

	"pirn/lab/measure"
)

func main() {
	n, rounds := measure.Int(1), measure.Int(2)
	items := make([]uint64, n)
	var expected, sum uint64
	for i := range items {
		items[i] = uint64(i + 1)
		expected += items[i]
	}
	check := func() { measure.Require(sum == expected, "a wrong sum") }
	measure.InTurns(rounds, float64(n),
		measure.Form{Name: "yielding_ns", Work: func() {
			var total uint64
			for _, x := range items {
				total += x
				runtime.Gosched()
			}
			sum = total
		}, Check: check},
		measure.Form{Name: "plain_ns", Work: func() {
			var total uint64
			for _, x := range items {
				total += x
			}
			sum = total
		}, Check: check})
}
