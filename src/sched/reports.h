// What the scheduler asks of the layer that writes reports. Layer: sched.
//
// Declared here and defined in src/debug, which stands above: reports read everything, so they cannot stand below what
// calls for them. Nothing else crosses the layers in this direction.
#pragma once

#include <cstdint>

namespace pirn::rt {

struct scheduler;
struct stack;
struct worker;

// At the beginning and the end of a run: signal handlers, the levels that the environment asks for.
void begin_reports(scheduler& s) noexcept;
void end_reports() noexcept;
// Each worker's thread, at its beginning and its end: the stack that signals arrive on.
void attach_reports(worker* w) noexcept;
void detach_reports(worker* w) noexcept;

// Go's report of a deadlock. REQUIRES: s.mu, nothing runs.
[[noreturn]] void report_deadlock(scheduler& s) noexcept;
// Go's report of a stack that is too small, which is the running goroutine's and has no guard.
[[noreturn]] void report_stack_overflow(const stack& stk) noexcept;
// The stacks that follow the text of a panic, that of the calling goroutine first.
void write_panic_stacks() noexcept;

// Called by sysmon after each of its sleeps: carries out what was asked of it meanwhile.
void serve_reports(scheduler& s) noexcept;
// When sysmon must be awake again to serve, in nanoseconds of now_ns().
std::int64_t next_report() noexcept;

}  // namespace pirn::rt
