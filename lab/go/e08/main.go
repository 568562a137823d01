// The Go twin of E08: the essay's racy counter and the atomic one under Go's race detector. It runs itself for each.
// Argument: ADDS (not used: the essay's goroutines add once).
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
)

const goroutines = 1000

func plain() {
	var count int
	var wg sync.WaitGroup
	for i := 0; i < goroutines; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			count++
		}()
	}
	wg.Wait()
	fmt.Println(count)
}

func atomically() {
	var count atomic.Int64
	var wg sync.WaitGroup
	for i := 0; i < goroutines; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			count.Add(1)
		}()
	}
	wg.Wait()
	fmt.Println(count.Load())
}

func reports(form string) int {
	command := exec.Command(os.Args[0], form)
	var err strings.Builder
	command.Stderr = &err
	command.Run() // its exit status says only that there were reports
	return strings.Count(err.String(), "WARNING: DATA RACE")
}

func main() {
	switch os.Args[1] {
	case "plain":
		plain()
	case "atomic":
		atomically()
	default:
		fmt.Println("plain_reports", reports("plain"))
		fmt.Println("atomic_reports", reports("atomic"))
	}
}
