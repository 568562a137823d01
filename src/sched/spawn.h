// Making goroutines. Layer: sched.
#pragma once

#include <string>

#include "g/goroutine.h"

namespace pirn::rt {

struct scheduler;

// A goroutine object whose closure the caller fills in, then starts or discards. Any thread.
// Throws std::logic_error outside a run, std::system_error (not_enough_memory) when there is no memory for it or for a
// stack of `stack_bytes` (0: the run's default) that needs a mapping of its own.
// The same for the common case: on a goroutine, the run's default stack, an object at hand; null when it is not that.
goroutine* try_new_goroutine() noexcept;
goroutine* new_goroutine(std::size_t stack_bytes, const std::string* name);
// runtime::set_max_stack(); returns what held before.
std::size_t change_max_stack(std::size_t bytes) noexcept;
// The number of bytes that a report of an overflow names, for a stack that had `usable`.
std::size_t stack_limit(std::size_t usable) noexcept;
void discard_goroutine(goroutine* g) noexcept;
void start_goroutine(goroutine* g, void* creator_pc);

// A stack has come free while goroutines wait for one.
void retry_stackless(scheduler& s) noexcept;

}  // namespace pirn::rt
