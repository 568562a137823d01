// The report of an exception that leaves a goroutine. Layer: sched.
#pragma once

namespace pirn::rt {

// REQUIRES: inside a catch block. Prints `panic: what()`, the exception's type and the goroutine's stack, in Go's
// shape, and ends the process with status 2.
[[noreturn]] void panic_with_current_exception() noexcept;

}  // namespace pirn::rt
