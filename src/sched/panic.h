// The report of an exception that leaves a goroutine. Layer: sched.
#pragma once

namespace pirn::rt {

// REQUIRES: inside a catch block. Prints `panic: what()`, the exception's type, the goroutine's header line and who
// created it, in Go's shape, and ends the process with status 2.
[[noreturn]] void panic_with_current_exception() noexcept;

// "\ngoroutine N [running]:\n" and the creator of the calling goroutine, for fatal errors.
void report_current_goroutine() noexcept;

}  // namespace pirn::rt
