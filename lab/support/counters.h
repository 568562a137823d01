// The two cheap counters that S05 and O09 set beside a channel used as a counter: one atomic, and shards.
// Layer: lab/support. Every form is run by `workers` goroutines that add 1 `ops` times each, and its total is checked.
#pragma once

#include <cstdint>

#include "support/forms.h"

namespace lab {

struct load {
  int workers;
  int ops;  // by each worker
};

std::int64_t count_by_atomic(const load& l);
std::int64_t count_by_shards(const load& l);

// The whole probe: arguments WORKERS OPS ROUNDS; the three forms in turns, nanoseconds per add.
int counter_probe(arguments args, std::int64_t (*count_by_channel)(const load&));

// The whole judgement of a counter exercise: channel against shards at >= 20x, or cheap already.
void judge_counters(trial& t, int ops, double document_channel_ns);

}  // namespace lab
