// What another thread of this process does just now, as the kernel tells it. Layer: os. Source: proc(5),
// /proc/pid/task/tid/status.
#pragma once

#include <cstdint>

namespace pirn::rt {

struct thread_look {
  bool known = false;               // false: it has ended, or there is no /proc
  bool running = false;             // on a CPU or waiting for one; else it sleeps in the kernel
  std::uint64_t went_to_sleep = 0;  // how often it has, so far
};

thread_look look_at_thread(int tid) noexcept;

}  // namespace pirn::rt
