// The Go twin of T11: yields and forced wake-ups of a goroutine that is locked to its thread, and of one that is not.
// Argument: LOCKED.
package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"pirn/lab/measure"
)

const rounds, load = 100, 200

func driftsByYield() int {
	var stop int32
	var wg sync.WaitGroup
	wg.Add(load)
	for i := 0; i < load; i++ {
		go func() {
			defer wg.Done()
			for atomic.LoadInt32(&stop) == 0 {
				runtime.Gosched()
			}
		}()
	}
	began := syscall.Gettid()
	drifts := 0
	for i := 0; i < rounds; i++ {
		runtime.Gosched()
		if syscall.Gettid() != began {
			drifts++
		}
	}
	atomic.StoreInt32(&stop, 1)
	wg.Wait()
	return drifts
}

func driftsByForce() (forced, forcedMoves, drifts int) {
	wake := make(chan struct{})
	for i := 0; i < rounds; i++ {
		parkedOn := syscall.Gettid()
		var runs int32
		taken := make(chan bool, 1)
		go func() {
			mine := syscall.Gettid() == parkedOn
			wake <- struct{}{}
			for atomic.LoadInt32(&runs) == 0 {
			}
			taken <- mine
		}()
		<-wake
		moved := syscall.Gettid() != parkedOn
		atomic.StoreInt32(&runs, 1)
		if moved {
			drifts++
		}
		if !<-taken {
			continue
		}
		forced++
		if moved {
			forcedMoves++
		}
	}
	return
}

func main() {
	locked := measure.Int(1) == 1
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	asGoroutine := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if locked {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
			}
			f()
		}()
		<-done
	}
	asGoroutine(func() { fmt.Println("yield_drifts", driftsByYield()) })
	asGoroutine(func() {
		forced, moves, drifts := driftsByForce()
		fmt.Println("forced_rounds", forced)
		fmt.Println("forced_moves", moves)
		fmt.Println("forced_drifts", drifts)
	})
}
