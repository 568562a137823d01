// The Go twin of S15: three children for each task, the three in turn, and a pipeline of stages.
// Arguments: N ROUNDS.
package main

import (
	"fmt"
	"runtime"
	"sync"

	"pirn/lab/measure"
)

const workers, buffer = 8, 1024

type task struct{ id, parsed, valid, persisted uint64 }

func mixed(x uint64) uint64 { return (x ^ (x >> 31)) * 0x9e3779b97f4a7c15 }

func parse(t *task)    { t.parsed = mixed(t.id + 1) }
func validate(t *task) { t.valid = mixed(t.id + 2) }
func persist(t *task)  { t.persisted = mixed(t.id + 3) }

func withChildren(t *task) {
	var wg sync.WaitGroup
	wg.Add(3)
	go func() { defer wg.Done(); parse(t) }()
	go func() { defer wg.Done(); validate(t) }()
	go func() { defer wg.Done(); persist(t) }()
	wg.Wait()
}

func flat(t *task) {
	parse(t)
	validate(t)
	persist(t)
}

func feed(all []task, jobs chan<- *task) {
	for i := range all {
		jobs <- &all[i]
	}
	close(jobs)
}

func byWorkers(all []task, handle func(*task)) {
	jobs := make(chan *task, buffer)
	var wg sync.WaitGroup
	wg.Add(workers)
	for i := 0; i < workers; i++ {
		go func() {
			defer wg.Done()
			for t := range jobs {
				handle(t)
			}
		}()
	}
	feed(all, jobs)
	wg.Wait()
}

func byPipeline(all []task) {
	toParse, toValidate, toPersist := make(chan *task, buffer), make(chan *task, buffer), make(chan *task, buffer)
	var wg sync.WaitGroup
	stage := func(work func(*task), in <-chan *task, out chan<- *task) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for t := range in {
				work(t)
				if out != nil {
					out <- t
				}
			}
			if out != nil {
				close(out)
			}
		}()
	}
	stage(parse, toParse, toValidate)
	stage(validate, toValidate, toPersist)
	stage(persist, toPersist, nil)
	feed(all, toParse)
	wg.Wait()
}

func main() {
	n, rounds := measure.Int(1), measure.Int(2)
	all := make([]task, n)
	for i := range all {
		all[i].id = uint64(i)
	}
	check := func() {
		for i := range all {
			expected := task{id: uint64(i)}
			flat(&expected)
			measure.Require(all[i] == expected, "a task is not done")
			all[i] = task{id: uint64(i)}
		}
	}
	measure.InTurns(rounds, float64(n),
		measure.Form{Name: "children_ns", Work: func() { byWorkers(all, withChildren) }, Check: check},
		measure.Form{Name: "flat_ns", Work: func() { byWorkers(all, flat) }, Check: check},
		measure.Form{Name: "pipeline_ns", Work: func() { byPipeline(all) }, Check: check})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	byWorkers(all, flat)
	runtime.ReadMemStats(&after)
	fmt.Println("flat_allocations", float64(after.Mallocs-before.Mallocs)/float64(n))
}
