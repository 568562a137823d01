// Package measure is what the Go twins share: arguments, medians, and forms that are run in turns.
package measure

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"
)

// Int is the program's argument number i as an integer.
func Int(i int) int {
	n, err := strconv.Atoi(os.Args[i])
	if err != nil {
		Fail(err.Error())
	}
	return n
}

// Require ends the program when one of its own results is wrong.
func Require(right bool, what string) {
	if !right {
		Fail(what)
	}
}

// Fail ends the program.
func Fail(what string) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}

// Median of values, which it sorts.
func Median(values []float64) float64 {
	sort.Float64s(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// Form is one way to do the whole work, under the name it reports.
type Form struct {
	Name  string
	Work  func()
	Check func() // of its result, after the clock has stopped; may be nil
}

// InTurns runs every form rounds times, in turns, and prints the median of each one's nanoseconds per operation.
func InTurns(rounds int, operations float64, forms ...Form) {
	each := make([][]float64, len(forms))
	for round := 0; round < rounds; round++ {
		for i, form := range forms {
			start := time.Now()
			form.Work()
			each[i] = append(each[i], float64(time.Since(start).Nanoseconds())/operations)
			if form.Check != nil {
				form.Check()
			}
		}
	}
	for i, form := range forms {
		fmt.Println(form.Name, Median(each[i]))
	}
}

// EachWorker runs body(worker) in that many goroutines and waits.
func EachWorker(workers int, body func(worker int)) {
	var wg sync.WaitGroup
	wg.Add(workers)
	for w := 0; w < workers; w++ {
		go func(w int) {
			defer wg.Done()
			body(w)
		}(w)
	}
	wg.Wait()
}

// PrintLatencies prints prefix + mean_ns, p50_ns and p99_ns: the medians of what each round's were.
func PrintLatencies(prefix string, rounds [][]float64) {
	var mean, p50, p99 []float64
	for _, round := range rounds {
		sort.Float64s(round)
		sum := 0.0
		for _, ns := range round {
			sum += ns
		}
		mean = append(mean, sum/float64(len(round)))
		p50 = append(p50, round[(len(round)*50+99)/100-1])
		p99 = append(p99, round[(len(round)*99+99)/100-1])
	}
	fmt.Println(prefix+"mean_ns", Median(mean))
	fmt.Println(prefix+"p50_ns", Median(p50))
	fmt.Println(prefix+"p99_ns", Median(p99))
}
