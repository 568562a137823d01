// What does a goroutine that waits cost in memory, its share of the page tables included?
package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var parkedWorkloads = []workload{
	{"parked_1m", "bytes each", parked},
}

// statusKiB reads one "Name:  123 kB" line of this process's status.
func statusKiB(name string) float64 {
	file, err := os.Open("/proc/self/status")
	require(err == nil, "%v", err)
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[0] == name+":" {
			value, err := strconv.ParseFloat(fields[1], 64)
			require(err == nil, "%v", err)
			return value
		}
	}
	require(false, "no %s in the status", name)
	return 0
}

func parked(r *runState) {
	n := r.count(1000000, 1000)
	gate := make(chan int)
	var wg sync.WaitGroup
	var started, woken atomic.Int64
	rss, tables := statusKiB("VmRSS"), statusKiB("VmPTE")
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			started.Add(1)
			if _, open := <-gate; !open {
				woken.Add(1)
			}
			wg.Done()
		}()
	}
	for started.Load() < int64(n) {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // the last one still has to go from its count to the gate
	rss, tables = statusKiB("VmRSS")-rss, statusKiB("VmPTE")-tables
	close(gate)
	wg.Wait()
	require(woken.Load() == int64(n), "%d of %d woke", woken.Load(), n)
	each := 1024 / float64(n)
	r.report((rss + tables) * each)
	r.reportPart("rss", rss*each, "bytes each")
	r.reportPart("page_tables", tables*each, "bytes each")
}
