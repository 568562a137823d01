// How the process ends when it cannot go on. Layer: os.
#pragma once

#include <string_view>

namespace pirn::rt {

// Writes `fatal error: <text>` to standard error, then what the reporting layer says about the caller, and ends the
// process with status 2, as Go does. Allocates nothing itself.
[[noreturn]] void fatal(std::string_view text) noexcept;

// One report ends the process: the first thread that calls this goes on, others sleep for ever, and one that comes a
// second time, because its report failed, ends the process at once.
void begin_report() noexcept;

// Writes all of `text` to standard error, by write(2) alone.
void write_stderr(std::string_view text) noexcept;

// Ends the process with status 2 without running exit handlers: other threads may be anywhere.
[[noreturn]] void exit_after_report() noexcept;

// What the layer that knows goroutines adds. Null members: nothing is added.
struct report_hooks {
  // After the text of a fatal error: stacks.
  void (*after_fatal)() noexcept = nullptr;
  // Instead of leaving with status 2.
  void (*exit)() noexcept = nullptr;
};
extern report_hooks reporting;

}  // namespace pirn::rt
