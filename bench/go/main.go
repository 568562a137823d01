// Go's side of the comparison: the workloads of bench/pirn, loop for loop, in the Go anyone would write.
// One process takes one sample; bench/run.py interleaves the processes. Same command line as pirn-bench:
//
//	go-bench --list
//	go-bench --run NAME --procs N
//	go-bench --smoke [--run NAME] [--procs N]
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
)

// families lists every workload in the order in which tables show them.
var families = [][]workload{
	spawnWorkloads, channelWorkloads, schedWorkloads, mutexWorkloads, syncWorkloads,
	selectWorkloads, timerWorkloads, contextWorkloads, appWorkloads, parkedWorkloads, idleWorkloads,
}

type options struct {
	list, smoke, subject bool
	run                  string
	procs                int
}

func usage(text string) {
	fmt.Fprintln(os.Stderr, "go-bench: "+text)
	os.Exit(2)
}

func parse(args []string) options {
	o := options{procs: 1}
	for i := 0; i < len(args); i++ {
		value := func() string {
			if i+1 == len(args) {
				usage(args[i] + " needs a value")
			}
			i++
			return args[i]
		}
		switch args[i] {
		case "--list":
			o.list = true
		case "--smoke":
			o.smoke = true
		case "--idle-subject":
			o.subject = true
		case "--run":
			o.run = value()
		case "--procs":
			text := value()
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				usage("--procs takes a number from 1, not '" + text + "'")
			}
			o.procs = n
		default:
			usage("unknown argument '" + args[i] + "'")
		}
	}
	return o
}

// one runs a workload and prints its samples; it tells whether the workload's own check held.
func one(w workload, o options) (ok bool) {
	r := &runState{procs: o.procs, smoke: o.smoke, w: w}
	defer func() {
		if failure := recover(); failure != nil {
			text, isCheck := failure.(checkFailed)
			if !isCheck {
				panic(failure)
			}
			r.samples = []sample{{Name: w.name, Procs: o.procs, Unit: w.unit, Check: string(text)}}
			ok = false
		}
		encoder := json.NewEncoder(os.Stdout)
		for _, s := range r.samples {
			encoder.Encode(s)
		}
	}()
	w.body(r)
	return true
}

func main() {
	o := parse(os.Args[1:])
	runtime.GOMAXPROCS(o.procs)
	if o.subject {
		idleSubject()
	}
	found, ok := false, true
	for _, family := range families {
		for _, w := range family {
			switch {
			case o.list:
				fmt.Println(w.name)
			case o.run == w.name || o.run == "" && o.smoke:
				found = true
				ok = one(w, o) && ok
			}
		}
	}
	if o.list {
		return
	}
	if o.run == "" && !o.smoke {
		usage("one of --list, --run NAME or --smoke is needed")
	}
	if !found {
		usage("unknown workload '" + o.run + "' (see --list)")
	}
	if !ok {
		os.Exit(1)
	}
}
