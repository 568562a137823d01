// The Go twin of S02: workers that are locked to threads, and workers that are not, on unbalanced jobs.
// Arguments: JOBS ROUNDS.
package main

import (
	"runtime"
	"sync/atomic"

	"pirn/lab/measure"
)

const workers, short, long = 8, 50, 5000

func processed(job uint64) uint64 {
	steps := short
	if job%64 == 0 {
		steps = long
	}
	x := job
	for i := 0; i < steps; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

func byWorkers(n uint64, locked bool) uint64 {
	jobs := make(chan uint64)
	var sum uint64
	go func() {
		for job := uint64(0); job < n; job++ {
			jobs <- job
		}
		close(jobs)
	}()
	measure.EachWorker(workers, func(int) {
		if locked {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
		}
		var own uint64
		for job := range jobs {
			own += processed(job)
		}
		atomic.AddUint64(&sum, own)
	})
	return sum
}

func main() {
	n, rounds := uint64(measure.Int(1)), measure.Int(2)
	var expected uint64
	for job := uint64(0); job < n; job++ {
		expected += processed(job)
	}
	workedOff := func(locked bool) func() {
		return func() { measure.Require(byWorkers(n, locked) == expected, "a job was lost") }
	}
	measure.InTurns(rounds, float64(n),
		measure.Form{Name: "locked_ns", Work: workedOff(true)},
		measure.Form{Name: "free_ns", Work: workedOff(false)})
}
