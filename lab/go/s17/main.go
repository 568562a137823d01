// The Go twin of S17: a thousand callers of a C function without any state, each locked to its thread for the call, and
// not. Arguments: CALLS ROUNDS.
package main

/*
#include <stdint.h>

typedef struct {
	uint64_t left, right;
} block;

static __attribute__((noinline)) block encrypt(block b) {
	for (uint64_t round = 1; round <= 8; ++round) {
		b.left = ((b.left << 8) | (b.left >> 56)) + b.right;
		b.left ^= round * 0x9e3779b97f4a7c15u;
		b.right = ((b.right << 3) | (b.right >> 61)) ^ b.left;
	}
	return b;
}
*/
import "C"

import (
	"runtime"
	"sync/atomic"

	"pirn/lab/measure"
)

const callers, callsBetweenYields = 1000, 8

func encryptPinned(b C.block) C.block {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return C.encrypt(b)
}

func callAll(calls int, pinned bool) uint64 {
	var sum uint64
	measure.EachWorker(callers, func(caller int) {
		b := C.block{left: C.uint64_t(caller), right: 1}
		for i := 0; i < calls; i++ {
			if pinned {
				b = encryptPinned(b)
			} else {
				b = C.encrypt(b)
			}
			if i%callsBetweenYields == 0 {
				runtime.Gosched()
			}
		}
		atomic.AddUint64(&sum, uint64(b.left))
	})
	return sum
}

func main() {
	calls, rounds := measure.Int(1), measure.Int(2)
	expected := callAll(calls, false)
	right := func(pinned bool) func() {
		return func() { measure.Require(callAll(calls, pinned) == expected, "wrong cipher text") }
	}
	measure.InTurns(rounds, float64(callers*calls),
		measure.Form{Name: "pinned_ns", Work: right(true)},
		measure.Form{Name: "free_ns", Work: right(false)})
}
