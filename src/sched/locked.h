// Binding goroutines to threads; blocking sections. Layer: sched.
#pragma once

#include "sched/worker.h"

namespace pirn::rt {

// REQUIRE: g runs on w and has extras. Nest: as many unlocks as locks.
void lock_to_thread(worker* w, goroutine* g) noexcept;
void unlock_from_thread(worker* w, goroutine* g) noexcept;

// Between the two the goroutine runs on this thread, and its P may be taken; calls into pirn get one again.
// REQUIRE: on a goroutine, outside, not nested.
void begin_blocking();
void end_blocking() noexcept;

}  // namespace pirn::rt
