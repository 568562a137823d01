// How the process ends when it cannot go on. Layer: os.
#pragma once

#include <string_view>

namespace pirn::rt {

// Writes `fatal error: <text>` to standard error, then the header line of the goroutine that runs here, if one does,
// and ends the process with status 2, as Go does. Allocates nothing.
[[noreturn]] void fatal(std::string_view text) noexcept;

// Writes all of `text` to standard error, by write(2) alone.
void write_stderr(std::string_view text) noexcept;

// Ends the process with status 2 without running exit handlers: other threads may be anywhere.
[[noreturn]] void exit_after_report() noexcept;

// Set by the goroutine layer: writes "\ngoroutine N [running]:\n" for the caller. Null: nothing is written.
extern void (*report_running_goroutine)() noexcept;

}  // namespace pirn::rt
