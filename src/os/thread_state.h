// What another thread of this process does just now, as the kernel tells it. Layer: os. Source: proc(5),
// /proc/pid/task/tid/status; the kernel's include/linux/posix-timers.h for the clock.
#pragma once

#include <cstdint>

namespace pirn::rt {

struct thread_look {
  bool known = false;               // false: it has ended, or there is no /proc
  bool running = false;             // on a CPU or waiting for one; else it sleeps in the kernel
  std::uint64_t went_to_sleep = 0;  // how often it has, so far
  std::int64_t ran_ns = -1;         // on a CPU, so far; -1: unknown

  // Whether it has been on a CPU for `ns` since the look before and not asleep meanwhile: not so one that has just been
  // woken, and waits for a CPU to come back from its call.
  bool computed_since(const thread_look& before, std::int64_t ns) const noexcept {
    return known && running && before.known && went_to_sleep == before.went_to_sleep && ran_since(before, ns);
  }
  bool ran_since(const thread_look& before, std::int64_t ns) const noexcept {
    return ran_ns < 0 || before.ran_ns < 0 || ran_ns - before.ran_ns >= ns;
  }
};

thread_look look_at_thread(int tid) noexcept;

}  // namespace pirn::rt
