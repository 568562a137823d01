// The public knobs and the entry points that the headers' templates call. Layer: sched.
#include <sched.h>

#include <future>
#include <stdexcept>

#include "os/cpu.h"
#include "pirn/detail/start.h"
#include "pirn/runtime.h"
#include "pirn/version.h"
#include "sched/entry.h"
#include "sched/locked.h"
#include "sched/panic.h"
#include "sched/run.h"
#include "sched/spawn.h"

namespace pirn::runtime {

using namespace pirn::rt;  // NOLINT: this file implements the public functions over rt

int gomaxprocs(int n) {
  if (n > 1 && !exclusive_mode_is_off()) end_exclusive();
  fresh_procs fresh;
  // A goroutine allocates outside the runtime. A foreign thread has nobody to wait for it, and would lose the run
  // there.
  if (const worker* w = this_worker()) fresh = make_procs(*w->sched, n);
  {
    const entry e;
    if (scheduler* s = the_scheduler.load(std::memory_order_acquire)) {
      if (n <= 0) return s->gomaxprocs.load(std::memory_order_relaxed);
      if (e.on() == nullptr) fresh = make_procs(*s, n);
      return change_gomaxprocs(*s, n, fresh);
    }
  }
  return default_gomaxprocs();
}

int num_cpu() noexcept {
  static const int count = affinity_cpu_count();
  return count;
}

int num_goroutine() noexcept {
  // Not inside: it only reads counters, and the scheduler lasts for as long as a thread has a goroutine of it.
  if (const worker* w = this_worker()) return live_goroutines(*w->sched);
  const entry e;
  scheduler* s = the_scheduler.load(std::memory_order_acquire);
  return s == nullptr ? 0 : live_goroutines(*s);
}

int num_thread() noexcept {
  const entry e;
  scheduler* s = the_scheduler.load(std::memory_order_acquire);
  return s == nullptr ? 0 : thread_count(*s);
}

int set_max_threads(int n) {
  if (n < 1) throw std::invalid_argument("set_max_threads: not positive");
  return set_thread_limit(n);
}

std::uint64_t goid() noexcept {
  const worker* w = this_worker();
  return w == nullptr ? 0 : w->current->id;
}

void gosched() { yield_to_others(); }

void goexit() {
  if (this_worker() == nullptr) throw std::logic_error("goexit: not on a goroutine");
  unwind_current();
}

void lock_os_thread() {
  const worker* w = this_worker();
  if (w == nullptr || w->sched->draining.load(std::memory_order_relaxed)) return;
  need_extras(w->current);
  const entry e;
  lock_to_thread(e.on(), e.current());
}

void unlock_os_thread() {
  const entry e;
  if (e.on() != nullptr) unlock_from_thread(e.on(), e.current());
}

std::size_t set_max_stack(std::size_t bytes) {
  if (bytes == 0) throw std::invalid_argument("set_max_stack: 0 bytes");
  return change_max_stack(bytes);
}

const char* version() noexcept { return "pirn" PIRN_VERSION; }

namespace detail {

bool begin_blocking() {
  worker* w = this_worker();
  if (w == nullptr || (w->in_call.load(std::memory_order_relaxed) & 1) != 0) return false;
  if (w->sched->draining.load(std::memory_order_relaxed)) return false;  // the last thread there is
  rt::begin_blocking();
  return true;
}

void end_blocking() noexcept { rt::end_blocking(); }

}  // namespace detail

}  // namespace pirn::runtime

namespace pirn::detail {

void new_goroutine::make(std::size_t stack_size, const std::string* name) {
  rt::goroutine* g = nullptr;
  if (rt::this_worker() == nullptr) {
    outside_ = true;
    rt::foreign_enter();
    try {
      g = rt::new_goroutine(stack_size, name);
    } catch (...) {
      rt::foreign_leave();
      throw;
    }
  } else {
    g = rt::new_goroutine(stack_size, name);
  }
  g_ = g;
  slot_ = &g->slot;
}

new_goroutine::new_goroutine() {
  // The common case in one piece; make() is for foreign threads and empty free lists.
  if (rt::goroutine* g = rt::try_new_goroutine()) {
    g_ = g;
    slot_ = &g->slot;
    return;
  }
  make(0, nullptr);
}

new_goroutine::new_goroutine(std::size_t stack_size, const std::string& name) { make(stack_size, &name); }

// Not inlined into the caller, whose address is the creator's.
[[gnu::noinline]] void new_goroutine::start() {
  try {
    rt::start_goroutine(static_cast<rt::goroutine*>(g_), __builtin_return_address(0));
  } catch (...) {
    slot_->manage(*slot_, closure_op::destroy);  // the run has ended meanwhile; the destructor gives the object back
    throw;
  }
  g_ = nullptr;
  if (outside_) rt::foreign_leave();
}

void new_goroutine::discard() noexcept {
  rt::discard_goroutine(static_cast<rt::goroutine*>(g_));
  if (outside_) rt::foreign_leave();
}

void run(const run_settings& settings, void (*fn)(void*), void* arg) {
  rt::run_main({settings.gomaxprocs, settings.stack_size, settings.main_stack_size, settings.lock_main_thread,
                static_cast<rt::exit_policy>(settings.at_exit), settings.grace_ns, settings.preempt_signal},
               fn, arg);
}

void throw_no_state() { throw std::future_error(std::future_errc::no_state); }

void go_of_nil() noexcept { rt::fatal("go of nil func value"); }

void panic_with_current_exception() noexcept { rt::panic_with_current_exception(); }

bool leaves_by_force() noexcept {
  const rt::worker* w = rt::this_worker();
  return w != nullptr && w->current != nullptr && (w->current->flags & rt::k_g_leaving) != 0;
}

}  // namespace pirn::detail
