// What does a program cost that has nothing to do, or next to nothing?
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var idleWorkloads = []workload{
	{"idle_5s", "voluntary switches", idle},
	{"one_task_per_ms", "% of a CPU", oneTaskPerMs},
}

// idleSubject is the process that idle_5s watches: it has worked, then waits in a long sleep.
func idleSubject() {
	var wg sync.WaitGroup
	wg.Add(1000)
	for i := 0; i < 1000; i++ {
		go func() {
			time.Sleep(time.Millisecond)
			wg.Done()
		}()
	}
	wg.Wait()
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

// voluntarySwitches gives the count of every thread of a process.
func voluntarySwitches(pid int) map[string]int {
	counts := map[string]int{}
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	require(err == nil && len(paths) > 0, "no threads to be seen")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require(err == nil, "%v", err)
		_, after, found := strings.Cut(string(text), "\nvoluntary_ctxt_switches:")
		require(found, "no switch count in %s", path)
		number, _, _ := strings.Cut(strings.TrimSpace(after), "\n")
		counts[path], err = strconv.Atoi(number)
		require(err == nil, "%v", err)
	}
	return counts
}

// The watcher is another process, because whoever counts in the same one would have to wake up for it.
func idle(r *runState) {
	self, err := os.Executable()
	require(err == nil, "%v", err)
	subject := exec.Command(self, "--idle-subject", "--procs", strconv.Itoa(r.procs))
	output, err := subject.StdoutPipe()
	require(err == nil, "%v", err)
	require(subject.Start() == nil, "the subject did not start")
	defer subject.Wait()
	defer subject.Process.Kill()
	line, err := bufio.NewReader(output).ReadString('\n')
	require(err == nil && line == "ready\n", "the subject did not get ready")
	time.Sleep(time.Duration(r.count(500, 50)) * time.Millisecond)
	before := voluntarySwitches(subject.Process.Pid)
	time.Sleep(time.Duration(r.count(5000, 50)) * time.Millisecond)
	after := voluntarySwitches(subject.Process.Pid)
	sum := 0
	for thread, count := range after {
		sum += count - before[thread]
		delete(before, thread)
	}
	r.report(float64(sum + len(before))) // a thread that has ended must have woken to do so
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	require(syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil, "getrusage failed")
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func oneTaskPerMs(r *runState) {
	warm, n := r.count(200, 2), r.count(3000, 20)
	var done atomic.Int64
	var wg sync.WaitGroup
	var start time.Time
	var cpu time.Duration
	ticker := time.NewTicker(time.Millisecond)
	for i := 0; i < warm+n; i++ {
		if i == warm {
			start, cpu = time.Now(), cpuTime()
		}
		<-ticker.C
		wg.Add(1)
		go func() {
			done.Add(1)
			wg.Done()
		}()
	}
	wg.Wait()
	cpu = cpuTime() - cpu
	wall := time.Since(start)
	ticker.Stop()
	require(done.Load() == int64(warm+n), "%d of %d tasks ran", done.Load(), warm+n)
	r.report(100 * cpu.Seconds() / wall.Seconds())
	r.reportPart("rate", float64(n)/wall.Seconds(), "tasks/s")
}
