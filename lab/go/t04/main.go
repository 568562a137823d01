// The Go twin of T04: the process's thread count while N goroutines sleep.
// Arguments: N SLEEP_MS.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

func threadCount() int {
	data, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(data), "\n") {
		if strings.HasPrefix(line, "Threads:") {
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "Threads:")))
			return n
		}
	}
	return -1
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	ms, _ := strconv.Atoi(os.Args[2])
	nap := time.Duration(ms) * time.Millisecond
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			time.Sleep(nap)
		}()
	}
	time.Sleep(nap / 2)
	fmt.Println("threads", threadCount())
	fmt.Println("gomaxprocs", runtime.GOMAXPROCS(0))
	wg.Wait()
}
