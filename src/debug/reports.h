// What a dying program says. Layer: debug. Essay: docs/internals/reports.md.
#pragma once

#include "debug/traceback.h"
#include "os/unwind.h"

namespace pirn::rt {

// By GOTRACEBACK, as of the beginning of the run.
trace_level report_level() noexcept;

// The goroutine of this thread, from these registers on. False when this thread runs none.
bool write_this_goroutine(text_sink& out, const unwind_registers& from, bool interrupted, trace_level level,
                          bool from_throw) noexcept;
// "runtime stack:" and the frames of the caller, up to a signal's.
void write_runtime_stack(text_sink& out) noexcept;
// All goroutines but the one of this thread, if it has been written.
void write_other_goroutines(text_sink& out, bool this_one_too, trace_level level) noexcept;

// Handlers for what kills a program, over those that were there before, which are called for what is none of ours; and
// their end.
void install_signals() noexcept;
void remove_signals() noexcept;
// SIGQUIT came: prints and ends the process. By sysmon.
void serve_quit(scheduler& s) noexcept;

}  // namespace pirn::rt
