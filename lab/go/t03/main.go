// The Go twin of T03: pthread_create and pthread_join through cgo, beside as many goroutines.
// Arguments: N ROUNDS. Prints the medians per thread and per goroutine.
package main

/*
#include <pthread.h>

static void *worker(void *arg) { return arg; }

static int spawn_and_join(void) {
	pthread_t thread;
	int error = pthread_create(&thread, 0, worker, 0);
	return error ? error : pthread_join(thread, 0);
}
*/
import "C"

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"
)

func threads(n int) float64 {
	start := time.Now()
	for i := 0; i < n; i++ {
		if code := C.spawn_and_join(); code != 0 {
			fmt.Fprintln(os.Stderr, "pthread_create: error", code)
			os.Exit(1)
		}
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

func goroutines(n int) float64 {
	var wg sync.WaitGroup
	wg.Add(n)
	start := time.Now()
	for i := 0; i < n; i++ {
		go func() { wg.Done() }()
	}
	wg.Wait()
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	rounds, _ := strconv.Atoi(os.Args[2])
	var thread, goroutine []float64
	for i := 0; i < rounds; i++ {
		thread = append(thread, threads(n))
		goroutine = append(goroutine, goroutines(n))
	}
	fmt.Println("thread_ns", median(thread))
	fmt.Println("goroutine_ns", median(goroutine))
}
