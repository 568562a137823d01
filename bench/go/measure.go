// What every workload uses: counts, the clock, medians, the check, and the samples it hands back.
package main

import (
	"fmt"
	"sort"
	"time"
)

type workload struct {
	name, unit string
	body       func(*runState)
}

type sample struct {
	Name  string  `json:"name"`
	Procs int     `json:"procs"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Check string  `json:"check"`
}

type runState struct {
	procs   int
	smoke   bool
	w       workload
	samples []sample
}

type checkFailed string

// require ends the workload with a failed check unless the condition holds.
func require(holds bool, format string, args ...any) {
	if !holds {
		panic(checkFailed("failed: " + fmt.Sprintf(format, args...)))
	}
}

// count is the full amount of work, or the tiny one under --smoke.
func (r *runState) count(full, tiny int) int {
	if r.smoke {
		return tiny
	}
	return full
}

func (r *runState) report(value float64) {
	r.samples = append(r.samples, sample{r.w.name, r.procs, value, r.w.unit, "ok"})
}

func (r *runState) reportPart(part string, value float64, unit string) {
	r.samples = append(r.samples, sample{r.w.name + "." + part, r.procs, value, unit, "ok"})
}

func median(values []float64) float64 {
	sort.Float64s(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// medianNs runs the batch twice to warm up, then `batches` times against the clock.
func (r *runState) medianNs(batches int, batch func()) float64 {
	if r.smoke {
		batches = 1
	}
	batch()
	if !r.smoke {
		batch()
	}
	times := make([]float64, batches)
	for i := range times {
		start := time.Now()
		batch()
		times[i] = float64(time.Since(start).Nanoseconds())
	}
	return median(times)
}
