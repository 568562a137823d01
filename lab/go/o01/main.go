// The Go twin of O01: calls that block in the system, all at once or some. Arguments: CALLS MS AT_ONCE.
package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"pirn/lab/measure"
)

func main() {
	calls, each, atOnce := measure.Int(1), time.Duration(measure.Int(2))*time.Millisecond, measure.Int(3)
	if atOnce == 0 {
		atOnce = calls
	}
	gate := make(chan struct{}, atOnce)
	var completed atomic.Int64
	threads := measure.WatchThreads()
	start := time.Now()
	var wg sync.WaitGroup
	wg.Add(calls)
	for i := 0; i < calls; i++ {
		go func() {
			defer wg.Done()
			gate <- struct{}{}
			nap := syscall.NsecToTimespec(int64(each))
			syscall.Nanosleep(&nap, nil)
			completed.Add(1)
			<-gate
		}()
	}
	wg.Wait()
	fmt.Println("all_done_ms", float64(time.Since(start).Nanoseconds())/1e6)
	fmt.Println("completed", completed.Load())
	_, most := threads.Seen()
	fmt.Println("most_threads", most)
}
