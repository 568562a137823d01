// The life of a run. Layer: sched.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sched/scheduler.h"

namespace pirn::rt {

struct run_options {
  int gomaxprocs = 0;
  std::size_t stack_size = 0;
  std::size_t main_stack_size = 0;
  bool lock_main_thread = false;
  exit_policy at_exit = exit_policy::abandon;
  std::int64_t grace_ns = 0;
  int preempt_signal = 0;  // 0: the default; negative: none
};

// Runs fn(arg), which must not throw, as the main goroutine on the calling thread and others; returns when it has ended
// and, by `at_exit`, the others too. Throws std::logic_error when a run is under way, std::invalid_argument for values
// out of range, std::system_error without memory.
void run_main(const run_options& options, void (*fn)(void*), void* arg);

// The main goroutine's last step: waits for the others if that was asked for.
void main_has_returned();

}  // namespace pirn::rt
