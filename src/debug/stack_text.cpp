// runtime::stack(): goroutines' stacks while the program goes on. Layer: debug. Essay: docs/internals/reports.md.
#include <sched.h>

#include <string>

#include "debug/snapshot.h"
#include "debug/stack_dump.h"
#include "debug/traceback.h"
#include "pirn/runtime.h"
#include "sched/entry.h"

namespace pirn::rt {

namespace {

// One dump at a time: others wait without keeping their P from anybody. Of the scheduler, so that a goroutine that is
// abandoned in the middle of a dump leaves nothing locked behind its run.
class dump_turn {
 public:
  explicit dump_turn(scheduler& s) : s_(s) {
    while (s_.dumping.exchange(true, std::memory_order_acquire)) yield_to_others();
  }
  dump_turn(const dump_turn&) = delete;
  dump_turn& operator=(const dump_turn&) = delete;
  ~dump_turn() { s_.dumping.store(false, std::memory_order_release); }

 private:
  scheduler& s_;
};

// A foreign thread counts as inside for as long as it looks at the scheduler.
class run_keeper {
 public:
  run_keeper() : foreign_(this_worker() == nullptr) { scheduler_ = foreign_ ? foreign_enter() : this_worker()->sched; }
  run_keeper(const run_keeper&) = delete;
  run_keeper& operator=(const run_keeper&) = delete;
  ~run_keeper() {
    if (foreign_) foreign_leave();
  }
  scheduler* get() const noexcept { return scheduler_; }

 private:
  bool foreign_;
  scheduler* scheduler_;
};

std::uint64_t current_id() noexcept {
  const worker* w = this_worker();
  return w != nullptr && w->current != nullptr ? w->current->id : 0;
}

// The goroutine that calls, from where `from` is.
void write_self(text_sink& out, const unwind_registers& from, place_cache& cache) {
  const goroutine& g = *this_worker()->current;
  goroutine_record r;
  describe(g, r);
  r.status = "running";
  frame_list frames;
  stack_walk walk(from, stack_view::in_place(g.stk->usable_low(), g.stk->top()), false);
  collect_frames(walk, frames, r);
  write_goroutine(out, r, frames.data(), trace_level::all, false, &cache);
}

}  // namespace

PIRN_NOINLINE dump_figures write_stacks(std::string& to, bool all, const unwind_registers& from) {
  dump_figures figures;
  string_sink out(to);
  place_cache cache;
  const std::uint64_t self = current_id();
  if (self != 0) write_self(out, from, cache);
  if (!all) return figures;
  const run_keeper run;
  if (run.get() == nullptr) return figures;
  const dump_turn turn(*run.get());
  snapshot_options o;
  o.leave_out = self;
  o.between = yield_to_others;
  snapshot s;
  take_snapshot(*run.get(), o, s);
  std::size_t written = 0;
  for (const goroutine_record& g : s.goroutines) {
    if (!to.empty()) out << "\n";
    write_goroutine(out, g, s.frames.data() + g.first_frame, trace_level::all, false, &cache);
    constexpr std::size_t k_between_yields = 64;
    if (++written % k_between_yields == 0) yield_to_others();
  }
  figures.goroutines = s.goroutines.size() + (self != 0 ? 1 : 0);
  figures.stops = s.stops;
  figures.stopped_ns = s.stopped_ns;
  figures.longest_stop_ns = s.longest_stop_ns;
  return figures;
}

}  // namespace pirn::rt

namespace pirn::runtime {

// Not inlined: the caller is the innermost frame that is shown.
[[gnu::noinline]] std::string stack(bool all) {
  std::string text;
  rt::write_stacks(text, all, rt::registers_here());
  return text;
}

}  // namespace pirn::runtime
