// The Go twin of S08: 64 workers that all receive from one channel, and a channel for each, fed in turn.
// Arguments: N ROUNDS.
package main

import (
	"sync"
	"sync/atomic"

	"pirn/lab/measure"
)

const workers, buffer, ownBuffer = 64, 1024, 1024

func processed(job uint64) uint64 { return (job ^ (job >> 31)) * 0x9e3779b97f4a7c15 }

type pool struct {
	wg  sync.WaitGroup
	sum uint64
}

func (p *pool) start(jobs <-chan uint64) {
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		var sum uint64
		for job := range jobs {
			sum += processed(job)
		}
		atomic.AddUint64(&p.sum, sum)
	}()
}

func (p *pool) finish() uint64 {
	p.wg.Wait()
	return p.sum
}

func byOneChannel(n uint64) uint64 {
	jobs := make(chan uint64, buffer)
	var p pool
	for i := 0; i < workers; i++ {
		p.start(jobs)
	}
	for job := uint64(0); job < n; job++ {
		jobs <- job
	}
	close(jobs)
	return p.finish()
}

func byOwnChannels(n uint64) uint64 {
	jobs := make([]chan uint64, workers)
	var p pool
	for i := range jobs {
		jobs[i] = make(chan uint64, ownBuffer)
		p.start(jobs[i])
	}
	for job := uint64(0); job < n; job++ {
		jobs[job%workers] <- job
	}
	for _, one := range jobs {
		close(one)
	}
	return p.finish()
}

func main() {
	n, rounds := uint64(measure.Int(1)), measure.Int(2)
	var expected uint64
	for job := uint64(0); job < n; job++ {
		expected += processed(job)
	}
	dispatched := func(form func(uint64) uint64) func() {
		return func() { measure.Require(form(n) == expected, "a job was lost") }
	}
	measure.InTurns(rounds, float64(n),
		measure.Form{Name: "one_channel_ns", Work: dispatched(byOneChannel)},
		measure.Form{Name: "own_channels_ns", Work: dispatched(byOwnChannels)})
}
