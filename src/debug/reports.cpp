// The stacks that follow a fatal error, a panic or a deadlock. Layer: debug. Essay: docs/internals/reports.md.
#include "debug/reports.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>

#include "debug/sample.h"
#include "debug/schedtrace.h"
#include "debug/snapshot.h"
#include "sched/entry.h"
#include "sched/reports.h"

namespace pirn::rt {

namespace {

trace_level level_of_run = trace_level::single;

// Go: runtime/extern.go. A program with more rights than its user shows nothing of its inside.
trace_level level_by_environment() noexcept {
  const char* text = secure_getenv("GOTRACEBACK");
  if (text == nullptr) return getenv("GOTRACEBACK") != nullptr ? trace_level::none : trace_level::single;
  static constexpr struct {
    const char* name;
    trace_level level;
  } k_levels[] = {{"none", trace_level::none}, {"0", trace_level::none},     {"single", trace_level::single},
                  {"all", trace_level::all},   {"1", trace_level::all},      {"system", trace_level::system},
                  {"2", trace_level::system},  {"crash", trace_level::crash}};
  for (const auto& l : k_levels) {
    if (std::strcmp(text, l.name) == 0) return l.level;
  }
  return trace_level::single;
}

void leave_by_abort() noexcept {
  if (level_of_run != trace_level::crash) return;
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  sigaction(SIGABRT, &plain, nullptr);
  raise(SIGABRT);
}

bool is_helper() noexcept {
  const scheduler* s = the_scheduler.load(std::memory_order_acquire);
  const pthread_t self = pthread_self();
  return s != nullptr && (pthread_equal(s->sysmon_thread, self) != 0 || pthread_equal(s->spawner_thread, self) != 0);
}

// None is left when main has called goexit(): the text says it all.
bool any_goroutine() noexcept {
  const scheduler* s = the_scheduler.load(std::memory_order_acquire);
  return s != nullptr && live_goroutines(*s) > 0;
}

void write_after_fatal() noexcept {
  if (level_of_run == trace_level::none || !any_goroutine()) return;
  stderr_sink out;
  if (write_this_goroutine(out, registers_here(), false, level_of_run, false)) {
    if (level_of_run >= trace_level::all) write_other_goroutines(out, false, level_of_run);
    return;
  }
  if (this_worker() == nullptr && !is_helper()) {  // a foreign thread: no goroutine has a part in it
    if (level_of_run >= trace_level::all) write_other_goroutines(out, true, level_of_run);
    return;
  }
  out << "\n";
  write_runtime_stack(out);
  write_other_goroutines(out, true, trace_level::system);
}

}  // namespace

trace_level report_level() noexcept { return level_of_run; }

bool write_this_goroutine(text_sink& out, const unwind_registers& from, bool interrupted, trace_level level,
                          bool from_throw) noexcept {
  const worker* w = this_worker();
  const goroutine* g = w != nullptr ? w->current : nullptr;
  if (g == nullptr || g->stk == nullptr) return false;
  goroutine_record r;
  describe(*g, r);
  r.status = "running";
  r.on = w;
  frame_list frames;
  const char* low = g->stk->unguarded ? g->stk->base : g->stk->usable_low();
  stack_walk walk(from, stack_view::in_place(low, g->stk->top()), interrupted);
  collect_frames(walk, frames, r);
  out << "\n";
  write_goroutine(out, r, frames.data() + r.first_frame, level, from_throw);
  return true;
}

void write_runtime_stack(text_sink& out) noexcept {
  stack_walk walk(registers_here(), stack_view::anywhere(), false);
  frame_list frames;
  stack_frame f;
  while (frames.size() < k_shown_frames && walk.next(f) && !f.signal_frame) frames.push_back(f);
  out << "runtime stack:\n";
  write_frames(out, frames.data(), frames.size(), 0, trace_level::system);
}

void write_other_goroutines(text_sink& out, bool this_one_too, trace_level level) noexcept {
  scheduler* s = the_scheduler.load(std::memory_order_acquire);
  if (s == nullptr) return;
  snapshot_options o;
  o.dying = true;
  const worker* w = this_worker();
  if (!this_one_too && w != nullptr && w->current != nullptr) o.leave_out = w->current->id;
  snapshot all;
  take_snapshot(*s, o, all);
  for (const goroutine_record& g : all.goroutines) {
    out << "\n";
    write_goroutine(out, g, all.frames.data() + g.first_frame, level);
  }
}

void write_panic_stacks() noexcept {
  if (level_of_run == trace_level::none) return;
  stderr_sink out;
  write_this_goroutine(out, registers_here(), false, level_of_run, true);
  if (level_of_run >= trace_level::all) write_other_goroutines(out, false, level_of_run);
}

void report_deadlock(scheduler& s) noexcept {
  begin_report();
  stderr_sink out;
  out << "fatal error: all goroutines are asleep - deadlock!\n";
  if (level_of_run != trace_level::none) {
    snapshot_options o;
    o.stands_still = true;
    o.dying = true;
    snapshot all;
    take_snapshot(s, o, all);
    for (const goroutine_record& g : all.goroutines) {
      out << "\n";
      write_goroutine(out, g, all.frames.data() + g.first_frame, level_of_run);
    }
  }
  out.flush();
  exit_after_report();
}

void begin_reports(scheduler& s) noexcept {
  begin_schedtrace(s);
  level_of_run = level_by_environment();
  reporting = {write_after_fatal, leave_by_abort};
  install_signals();
#ifndef PIRN_TSAN
  install_sampling();
#endif
}

void end_reports() noexcept {
  remove_signals();
  remove_sampling();
  reporting = {};
}

void serve_reports(scheduler& s) noexcept {
  serve_quit(s);
  serve_schedtrace(s);
}

std::int64_t next_report() noexcept { return next_schedtrace(); }

}  // namespace pirn::rt
