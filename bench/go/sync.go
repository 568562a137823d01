// What do the other means of waiting for each other cost?
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

var syncWorkloads = []workload{
	{"rwmutex_read", "ns/op each", rwmutexRead},
	{"waitgroup", "ns/op", waitgroup},
	{"cond_signal", "ns/op", condSignal},
	{"semaphore", "ns/op", semaphore},
}

// Readers of one lock, one per proc, and nobody who writes while they read.
func rwmutexRead(r *runState) {
	each := r.count(1000000, 100)
	type guarded struct {
		mu    sync.RWMutex
		value int
	}
	g := new(guarded)
	sums := make([]struct {
		sum int
		_   [120]byte // a cache line each, and the neighbour that is fetched with it
	}, r.procs)
	ns := r.medianNs(7, func() {
		g.mu.Lock()
		g.value++
		value := g.value
		g.mu.Unlock()
		var wg sync.WaitGroup
		wg.Add(r.procs)
		for p := range sums {
			mine := &sums[p].sum
			*mine = 0
			go func() {
				for i := 0; i < each; i++ {
					g.mu.RLock()
					*mine += g.value
					g.mu.RUnlock()
				}
				wg.Done()
			}()
		}
		wg.Wait()
		for p := range sums {
			require(sums[p].sum == each*value, "a reader's sum is %d", sums[p].sum)
		}
	})
	r.report(ns / float64(each))
}

// A starting gun and a finishing line, again and again: eight wait for the gun, one waits for the eight. Two of
// each in turn, so that one can be set up while the other is in use. An op is one runner's wait and done.
func waitgroup(r *runState) {
	const crowd = 8
	rounds := r.count(20000, 20)
	ns := r.medianNs(7, func() {
		var gun, line [2]sync.WaitGroup
		var everybody sync.WaitGroup
		var runners [crowd]struct {
			laps int
			_    [120]byte
		}
		gun[0].Add(1)
		everybody.Add(crowd)
		for p := 0; p < crowd; p++ {
			mine := &runners[p].laps
			go func() {
				for i := 0; i < rounds; i++ {
					gun[i%2].Wait()
					*mine++
					line[i%2].Done()
				}
				everybody.Done()
			}()
		}
		early := 0
		for i := 0; i < rounds; i++ {
			line[i%2].Add(crowd)
			gun[(i+1)%2].Add(1)
			gun[i%2].Done()
			line[i%2].Wait()
			for p := range runners {
				if runners[p].laps != i+1 {
					early++
				}
			}
		}
		everybody.Wait()
		require(early == 0, "%d laps were not done when the wait returned", early)
	})
	r.report(ns / float64(crowd*rounds))
}

// Two goroutines hand a turn to each other. An op is one turn: take the lock, wait until it is ours, pass it on,
// signal.
func condSignal(r *runState) {
	each := r.count(100000, 100)
	ns := r.medianNs(7, func() {
		var mu sync.Mutex
		changed := sync.NewCond(&mu)
		turn, turns := 0, 0
		var wg sync.WaitGroup
		wg.Add(2)
		for me := 0; me < 2; me++ {
			go func() {
				for i := 0; i < each; i++ {
					mu.Lock()
					for turn != me {
						changed.Wait()
					}
					turn = 1 - me
					turns++
					changed.Signal()
					mu.Unlock()
				}
				wg.Done()
			}()
		}
		wg.Wait()
		require(turns == 2*each, "%d turns", turns)
	})
	r.report(ns / float64(2*each))
}

// Eight goroutines share two permits and give way while they hold one, so that the others have to wait. The
// standard library's semaphore is a buffered channel. An op is an acquire, a yield and a release.
func semaphore(r *runState) {
	const crowd, permits = 8, 2
	each := r.count(20000, 100)
	ns := r.medianNs(7, func() {
		sem := make(chan struct{}, permits)
		var holders, excess atomic.Int64
		var wg sync.WaitGroup
		wg.Add(crowd)
		for k := 0; k < crowd; k++ {
			go func() {
				for i := 0; i < each; i++ {
					sem <- struct{}{}
					if holders.Add(1) > permits {
						excess.Add(1)
					}
					runtime.Gosched()
					holders.Add(-1)
					<-sem
				}
				wg.Done()
			}()
		}
		wg.Wait()
		require(excess.Load() == 0 && holders.Load() == 0, "%d times too many held a permit", excess.Load())
	})
	r.report(ns / float64(crowd*each))
}
