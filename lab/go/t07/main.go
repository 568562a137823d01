// The Go twin of T07: nanoseconds per round trip between two goroutines.
// Arguments: FORM PROCS PINNED MS. FORM select is the document's (select over two 1-buffered channels and a
// done channel), bare is a pair of unbuffered channels. PINNED 1 locks each side to its thread.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

func roundTrip(form string, pinned bool, length time.Duration) float64 {
	capacity := 0
	if form == "select" {
		capacity = 1
	}
	a := make(chan int, capacity)
	b := make(chan int, capacity)
	done := make(chan struct{})
	trips := 0
	var wg sync.WaitGroup

	pin := func() func() {
		if !pinned {
			return func() {}
		}
		runtime.LockOSThread()
		return runtime.UnlockOSThread
	}
	relay := func(in, out chan int, count *int) {
		defer wg.Done()
		defer pin()()
		for {
			select {
			case v := <-in:
				out <- v + 1
				*count++
			case <-done:
				return
			}
		}
	}
	bareEcho := func() {
		defer wg.Done()
		defer pin()()
		for v := range a {
			b <- v + 1
		}
	}
	bareDrive := func() {
		defer wg.Done()
		defer pin()()
		defer close(a)
		for v := 0; ; trips++ {
			if trips%64 == 0 {
				select {
				case <-done:
					return
				default:
				}
			}
			a <- v
			v = <-b
		}
	}

	ignored := 0
	wg.Add(2)
	start := time.Now()
	if form == "select" {
		go relay(a, b, &trips)
		go relay(b, a, &ignored)
		a <- 0
	} else {
		go bareEcho()
		go bareDrive()
	}
	time.Sleep(length)
	close(done)
	wg.Wait()
	return float64(time.Since(start).Nanoseconds()) / float64(trips)
}

func main() {
	procs, _ := strconv.Atoi(os.Args[2])
	ms, _ := strconv.Atoi(os.Args[4])
	runtime.GOMAXPROCS(procs)
	fmt.Println("round_trip_ns", roundTrip(os.Args[1], os.Args[3] == "1", time.Duration(ms)*time.Millisecond))
}
