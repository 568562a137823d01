// The Go twin of S01: a goroutine per cheap item, and one worker per P over contiguous chunks.
// Arguments: N ROUNDS STEPS (STEPS sets how long one item takes).
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"time"
)

var steps int

func transform(item uint64) uint64 {
	x := item
	for i := 0; i < steps; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

func perItem(items, out []uint64) {
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Add(1)
		go func(i int, item uint64) {
			defer wg.Done()
			out[i] = transform(item)
		}(i, item)
	}
	wg.Wait()
}

func chunked(items, out []uint64) {
	n := runtime.GOMAXPROCS(0)
	chunk := (len(items) + n - 1) / n
	var wg sync.WaitGroup
	for low := 0; low < len(items); low += chunk {
		high := low + chunk
		if high > len(items) {
			high = len(items)
		}
		wg.Add(1)
		go func(low, high int) {
			defer wg.Done()
			for i := low; i < high; i++ {
				out[i] = transform(items[i])
			}
		}(low, high)
	}
	wg.Wait()
}

func serial(items, out []uint64) {
	for i, item := range items {
		out[i] = transform(item)
	}
}

func timed(form func(items, out []uint64), items, out []uint64) float64 {
	start := time.Now()
	form(items, out)
	return float64(time.Since(start).Nanoseconds()) / float64(len(items))
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	rounds, _ := strconv.Atoi(os.Args[2])
	steps, _ = strconv.Atoi(os.Args[3])
	items := make([]uint64, n)
	for i := range items {
		items[i] = uint64(i)
	}
	out := make([]uint64, n)
	var slow, good, work []float64
	for i := 0; i < rounds; i++ {
		slow = append(slow, timed(perItem, items, out))
		good = append(good, timed(chunked, items, out))
		work = append(work, timed(serial, items, out))
	}
	fmt.Println("per_item_ns", median(slow))
	fmt.Println("chunked_ns", median(good))
	fmt.Println("work_ns", median(work))
}
