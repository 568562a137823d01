// All goroutines with their stacks, as they were when they were visited. Layer: debug. Essay:
// docs/internals/reports.md.
//
// The world is stopped for a fraction of a millisecond at a time, in which a batch of parked stacks is copied; they are
// walked when it goes on. A goroutine that lives all the while is there exactly once.
#pragma once

#include <cstdint>

#include "debug/traceback.h"
#include "os/mapped_vector.h"

namespace pirn::rt {

struct snapshot {
  mapped_vector<goroutine_record> goroutines;  // by number
  frame_list frames;
  std::int64_t longest_stop_ns = 0;  // for which the world stood
  std::int64_t stopped_ns = 0;       // in all
  std::uint32_t stops = 0;
};

struct snapshot_options {
  bool stands_still = false;    // nothing runs and scheduler::mu is held: no need to stop anything
  bool dying = false;           // the process ends afterwards: consistency is tried for, not insisted upon
  std::uint64_t leave_out = 0;  // a goroutine that the caller describes itself
  void (*between)() = nullptr;  // called while the world goes on, after each batch
};

void take_snapshot(scheduler& s, const snapshot_options& options, snapshot& out) noexcept;

}  // namespace pirn::rt
