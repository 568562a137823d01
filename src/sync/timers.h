// Which heap a caller arms its timers in. Layer: sync.
#pragma once

#include "sched/entry.h"
#include "timer/timer_heap.h"

namespace pirn::rt {

// The heap of the P that runs here; a foreign thread takes the first P's, which outlives the run.
inline timer_heap& heap_here(const entry& e) { return e.on() != nullptr ? *e.on()->p->timers : timer_heap_of(0); }

// A thread without a P has armed a timer: while every P is idle nobody would look at it by itself.
inline void announce(const entry& e) noexcept {
  if (e.on() != nullptr) return;
  // The timer must be seen by whoever goes idle without a barrier of his own; see [ID-2] and models/timer.pml.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (scheduler* s = the_scheduler.load(std::memory_order_acquire)) wake_if_needed(*s);
}

}  // namespace pirn::rt
