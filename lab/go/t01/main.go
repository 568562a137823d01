// The Go twin of T01: the runtime's knobs as a fresh program sees them.
package main

import (
	"fmt"
	"runtime"
)

func main() {
	fmt.Println("version", runtime.Version())
	fmt.Println("num_cpu", runtime.NumCPU())
	fmt.Println("gomaxprocs", runtime.GOMAXPROCS(0))
	fmt.Println("num_goroutine", runtime.NumGoroutine())
}
