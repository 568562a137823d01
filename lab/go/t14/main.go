// The Go twin of T14: a goroutine that computes and then blocks in a system call in turns, and some that compute, on two
// Ps. Its trace goes through the same reader. Argument: MS that it lasts.
package main

import (
	"runtime"
	"syscall"
	"time"

	"pirn/lab/measure"
)

func computeFor(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

func main() {
	runtime.GOMAXPROCS(2)
	end := time.Now().Add(time.Duration(measure.Int(1)) * time.Millisecond)
	measure.EachWorker(4, func(worker int) {
		for time.Now().Before(end) {
			if worker == 0 {
				computeFor(8 * time.Millisecond)
				nap := syscall.NsecToTimespec(int64(20 * time.Millisecond))
				syscall.Nanosleep(&nap, nil)
			} else {
				computeFor(time.Millisecond)
				runtime.Gosched()
			}
		}
	})
}
