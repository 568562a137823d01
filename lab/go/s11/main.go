// The Go twin of S11: a cgo call for each block, and one for the whole batch. Arguments: BLOCKS ROUNDS.
package main

/*
#include <stddef.h>
#include <stdint.h>

static __attribute__((noinline)) uint64_t fast_hash(uint64_t block) {
	uint64_t x = block ^ (block >> 29);
	x *= 0x9e3779b97f4a7c15u;
	return x ^ (x >> 32);
}

static void fast_hash_batch(const uint64_t *blocks, size_t n, uint64_t *out) {
	for (size_t i = 0; i < n; ++i) out[i] = fast_hash(blocks[i]);
}
*/
import "C"

import "pirn/lab/measure"

// What the call costs without the way to C.
//
//go:noinline
func fastHash(block uint64) uint64 {
	x := block ^ (block >> 29)
	x *= 0x9e3779b97f4a7c15
	return x ^ (x >> 32)
}

func main() {
	n, rounds := measure.Int(1), measure.Int(2)
	blocks, out := make([]C.uint64_t, n), make([]C.uint64_t, n)
	for i := range blocks {
		blocks[i] = C.uint64_t(i * 7919)
	}
	check := func() {
		for i, hash := range out {
			measure.Require(uint64(hash) == fastHash(uint64(blocks[i])), "a wrong hash")
		}
		out = make([]C.uint64_t, n)
	}
	measure.InTurns(rounds, float64(n),
		measure.Form{Name: "per_call_ns", Work: func() {
			for i, block := range blocks {
				out[i] = C.fast_hash(block)
			}
		}, Check: check},
		measure.Form{Name: "per_batch_ns", Work: func() {
			C.fast_hash_batch(&blocks[0], C.size_t(n), &out[0])
		}, Check: check},
		measure.Form{Name: "bare_ns", Work: func() {
			for i, block := range blocks {
				out[i] = C.uint64_t(fastHash(uint64(block)))
			}
		}, Check: check})
}
