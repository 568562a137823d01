// The Go twin of E02: resident memory of N goroutines that are parked on a channel.
// Arguments: goroutines N.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

func statusKiB(key string) int {
	data, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(data), "\n") {
		if strings.HasPrefix(line, key+":") {
			n, _ := strconv.Atoi(strings.Fields(line)[1])
			return n
		}
	}
	return 0
}

func main() {
	n, _ := strconv.Atoi(os.Args[2])
	gate := make(chan struct{})
	var started, ended sync.WaitGroup
	started.Add(n)
	ended.Add(n)
	rss, pte := statusKiB("VmRSS"), statusKiB("VmPTE")
	for i := 0; i < n; i++ {
		go func() {
			defer ended.Done()
			started.Done()
			<-gate
		}()
	}
	started.Wait()
	rss, pte = statusKiB("VmRSS")-rss, statusKiB("VmPTE")-pte
	fmt.Println("rss_each_bytes", float64(rss)*1024/float64(n))
	fmt.Println("page_tables_each_bytes", float64(pte)*1024/float64(n))
	close(gate)
	ended.Wait()
}
