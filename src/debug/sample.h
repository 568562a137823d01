// Registers and stack of a goroutine that runs on another thread: the thread is signalled, copies both, and goes on;
// what was copied is walked elsewhere. Layer: debug.
#pragma once

#include <cstdint>

#include "os/unwind.h"
#include "sched/scheduler.h"

namespace pirn::rt {

struct running_sample {
  unwind_registers registers;
  stack_view stack;  // valid until the next sample is taken
};

// Prepares for take_sample(): the signal handler. May be called again and again.
void install_sampling() noexcept;
void remove_sampling() noexcept;

// The same for a thread that sleeps in a system call, which a signal would end early: what the kernel says about it.
// The other registers are not known; os/unwind.h makes do without. False when it does not sleep.
bool take_sleeping_sample(const worker* w, int tid, std::uint64_t id, running_sample& out) noexcept;

// Asks the thread `tid` of `w` for what goroutine number `id` does there. False when it does not answer within the time
// (the signal is blocked, or the machine is busy), or does something else by now. One caller at a time.
bool take_sample(const worker* w, int tid, std::uint64_t id, std::int64_t patience_ns, running_sample& out) noexcept;

}  // namespace pirn::rt
