// Switching: how a goroutine stops, goes on, yields and ends. Layer: sched. Essay: docs/internals/scheduler.md.
//
// A goroutine that parks goes straight to the next runnable one of its P; the scheduling stack is only for what that
// cannot do: nothing to run here, every k_global_check-th dispatch, goroutines bound to threads, no stack to be had.
// What must follow a park (giving back the lock of the queue it stands in) runs first thing on the other side: from
// then on the goroutine may be made ready elsewhere, and its context is complete.
#include <sched.h>

#include "os/fatal.h"
#include "pirn/detail/start.h"
#include "sched/entry.h"
#include "sched/reports.h"

namespace pirn::rt {

std::atomic<scheduler*> the_scheduler{nullptr};

namespace {

PIRN_ALWAYS_INLINE void landed(worker* w, sanitizer_state& self) noexcept {
  after_switch(self);
  const switch_work work = w->after;
  if (PIRN_LIKELY(work.arg != nullptr)) {
    chaos_step();
    w->after.arg = nullptr;
    if (PIRN_LIKELY(work.fn == nullptr)) {
      happens_before(work.arg);  // this layer is not instrumented
      static_cast<spinlock*>(work.arg)->unlock();
    } else {
      work.fn(work.arg);
    }
  }
#ifdef PIRN_TSAN
  adopt_fiber(self, w->busy_fiber);
  if (stack* left = w->left_stack; left != nullptr) {
    w->left_stack = nullptr;
    rest_stack(*w->sched, left);
  }
#endif
  happens_after(&w->thread);
}

PIRN_ALWAYS_INLINE void make_current(worker* w, goroutine* g) noexcept {
  w->current = g;
  g->set_state(g_state::running);
  *w->eh = g->eh;
}

// g stops, next goes on; returns when g goes on, on whatever worker.
PIRN_ALWAYS_INLINE void switch_goroutines(worker* w, goroutine* g, goroutine* next) noexcept {
  g->eh = *w->eh;
  happens_before(&w->sched->end_of_run);
  make_current(w, next);
  switch_fp_control(g->fp, next->fp);
  before_switch(&g->san, next->san);
  switch_context(&g->ctx, &next->ctx);
  landed(this_worker(), g->san);
  happens_after(g);
}

PIRN_NOINLINE void switch_to_scheduler(worker* w, goroutine* g) noexcept {
  g->eh = *w->eh;
  happens_before(&w->sched->end_of_run);
  *w->eh = w->sched_eh;
  w->current = nullptr;
  switch_fp_control(g->fp, w->sched_fp);
  before_switch(&g->san, w->sched_san);
  switch_context(&g->ctx, &w->sched_ctx);
  landed(this_worker(), g->san);
  happens_after(g);
}

// The next goroutine that can be switched to from here, or null: the scheduling stack must find one.
PIRN_ALWAYS_INLINE goroutine* pick_direct(worker* w, processor* p) noexcept {
  p->tick.store(p->tick.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (PIRN_UNLIKELY(p->until_global_check <= 1)) {
    p->until_global_check = 0;
    return nullptr;
  }
  --p->until_global_check;
  if (PIRN_UNLIKELY(w->locked_g != nullptr)) return nullptr;
  goroutine* g = p->queue.pop();
  if (g == nullptr) return nullptr;
  if (PIRN_UNLIKELY((g->flags & k_g_locked) != 0)) {
    p->queue.exchange_next(g);  // the slot is empty: pop() looks there first
    return nullptr;
  }
  return g;
}

PIRN_ALWAYS_INLINE goroutine* pick_direct_with_stack(worker* w, processor* p) noexcept {
  goroutine* g = pick_direct(w, p);
  if (g != nullptr && PIRN_UNLIKELY(g->stk == nullptr) && PIRN_UNLIKELY(!bind_stack(p, g))) {
    p->queue.exchange_next(g);
    return nullptr;
  }
  return g;
}

PIRN_COLD void look_at_canary(const goroutine* g) noexcept {
  if (has_overflowed(*g->stk, __builtin_frame_address(0))) report_stack_overflow(*g->stk);
}

PIRN_ALWAYS_INLINE void leave_stack(worker* w, goroutine* g) noexcept {
  const int saved_errno = *w->errno_at;
  if (goroutine* next = pick_direct_with_stack(w, w->p)) {
    switch_goroutines(w, g, next);
  } else {
    switch_to_scheduler(w, g);
  }
  *this_worker()->errno_at = saved_errno;
}

void execute(worker* w, goroutine* g) noexcept {
  make_current(w, g);
  switch_fp_control(w->sched_fp, g->fp);
  before_switch(&w->sched_san, g->san);
  switch_context(&w->sched_ctx, &g->ctx);
  landed(w, w->sched_san);  // a scheduling stack stays on its thread
}

[[noreturn]] PIRN_COLD void unwind_from_inside() {
  leave(this_worker());
  unwind_current();
}

PIRN_COLD void came_back_marked(const goroutine* g) {
  if ((g->flags & k_g_unguarded) != 0) look_at_canary(g);
  // One that is told to leave while it leaves already, in a destructor that parked, goes on.
  if ((g->flags & (k_g_unwinding | k_g_leaving)) == k_g_unwinding) unwind_from_inside();
}

// What a goroutine looks at when it goes on after a switch.
PIRN_ALWAYS_INLINE void came_back(const goroutine* g) {
  if (PIRN_UNLIKELY((g->flags & (k_g_unwinding | k_g_unguarded)) != 0)) came_back_marked(g);
}

void push_global_work(void* g) noexcept {
  scheduler& s = *this_worker()->sched;
  push_global(s, static_cast<goroutine*>(g));
  wake_if_needed(s);
}

PIRN_ALWAYS_INLINE void yield_on(worker* w) {
  processor* p = w->p;
  goroutine* g = w->current;
  if (PIRN_LIKELY(p->until_global_check > 1) && p->queue.empty() && w->locked_g == nullptr) {
    --p->until_global_check;
    return;
  }
  g->set_state(g_state::runnable);
  happens_before(g);
  p->queue.bring_forward();
  // Queued before it has left its stack: nobody else can take from this queue while this worker is inside.
  if (PIRN_UNLIKELY(!p->queue.try_push_tail(g))) queue_last(w, g);
  leave_stack(w, g);
  came_back(g);
}

}  // namespace

void park(const park_kind& kind, void* object, switch_work after) { park_on(this_worker(), kind, object, after); }

void park_on(worker* w, const park_kind& kind, void* object, switch_work after) {
  goroutine* g = w->current;
  g->waits_for = &kind;
  g->wait_object = object;
  g->waits_since_ms = w->sched->coarse_ms.load(std::memory_order_relaxed);
  g->set_state(g_state::waiting);
  w->after = after;
  leave_stack(w, g);
  came_back(g);
  if (chaos_chance(16)) yield_on(this_worker());  // as if it had been woken later
}

void yield_to_others() {
  if (worker* w = try_enter_fast(); PIRN_LIKELY(w != nullptr)) {
    yield_on(w);
    leave(this_worker());
    return;
  }
  if (this_worker() == nullptr) {
    sched_yield();
    return;
  }
  const entry e;
  yield_on(e.on());
}

void ready(goroutine* g) noexcept {
  worker* w = this_worker();
  if (PIRN_UNLIKELY(w == nullptr || w->p == nullptr)) {
    g->set_state(g_state::runnable);
    happens_before(g);
    scheduler* s = the_scheduler.load(std::memory_order_acquire);
    if (s == nullptr) return;  // a foreign thread at the end of a run: the goroutine is abandoned
    push_global(*s, g);
    wake_if_needed(*s);
    return;
  }
  ready_on(w, g);
}

void ready_kicked(worker* w, goroutine* kicked) noexcept {
  queue_last(w, kicked);
  wake_if_needed(*w->sched);
}

void queue_last(worker* w, goroutine* g) noexcept {
  g_list spilled;
  w->p->queue.push_tail(g, spilled);
  if (PIRN_UNLIKELY(spilled.count != 0)) push_global(*w->sched, spilled);
}

void ready_last(goroutine* g) noexcept {
  worker* w = this_worker();
  g->set_state(g_state::runnable);
  happens_before(g);
  if (w == nullptr || w->p == nullptr) {
    ready(g);
    return;
  }
  queue_last(w, g);
  wake_if_needed(*w->sched);
}

void requeue_without_p() noexcept {
  worker* w = this_worker();
  goroutine* g = w->current;
  if (PIRN_UNLIKELY((g->flags & k_g_unguarded) != 0)) look_at_canary(g);
  g->set_state(g_state::runnable);
  happens_before(g);
  w->after = switch_work::call(push_global_work, g);
  const int saved_errno = *w->errno_at;
  switch_to_scheduler(w, g);
  *this_worker()->errno_at = saved_errno;
}

void worker_loop(worker* w) noexcept {
  while (goroutine* g = find_work(w)) execute(w, g);
}

void run_worker(worker* w) noexcept {
  worker_loop(w);
  // It may hold a P still. A release: whoever sees it outside owns what it left (exclusive.cpp waits for this).
  w->inside.store(0, std::memory_order_release);
}

#ifdef PIRN_ASAN
namespace {
// Below every frame of the caller's.
[[gnu::noinline]] void* address_below() noexcept { return __builtin_frame_address(0); }
}  // namespace
#endif

void abandon_current() noexcept {
  worker* w = this_worker();
#ifdef PIRN_ASAN
  __builtin_unwind_init();  // what only registers point at is on the stack now, for run.cpp to find
  w->current->ctx.sp = address_below();
#endif
  happens_before(&w->sched->end_of_run);
  *w->eh = w->sched_eh;
  w->current = nullptr;
  before_switch(nullptr, w->sched_san);
  jump_context(&w->sched_ctx);
}

namespace {

// What only few goroutines need at their end. True when the thread must go back to its scheduling stack.
PIRN_COLD bool finish_special(worker* w, goroutine* g) noexcept {
  if ((g->flags & k_g_unguarded) != 0) look_at_canary(g);
  // Nor is a stack without a guard passed on to a successor that does not know of it.
  const bool back = (g->flags & (k_g_locked | k_g_main | k_g_unguarded)) != 0;
  if ((g->flags & k_g_locked) != 0) {
    // A goroutine that ends bound to its thread takes the thread with it: nobody knows what it did to it.
    w->locked_g = nullptr;
    w->must_end = true;
    g->extras->locked_to = nullptr;
    g->extras->lock_count = 0;
  }
  if ((g->flags & k_g_main) != 0) {
    if (w->sched->main_returned.load(std::memory_order_relaxed)) {
      begin_stopping(*w->sched);
    } else {
      w->sched->last_one_tells.store(true, std::memory_order_relaxed);  // goexit: the others go on
    }
  }
  return back;
}

PIRN_COLD void finish_last(scheduler& s) noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // own counter before the others': the last of two sees both
  const int live = live_goroutines(s);
  if (live == 0 && !s.main_returned.load(std::memory_order_relaxed)) {
    fatal("no goroutines (main called runtime.Goexit) - deadlock!");
  }
  if (live > 1) return;
  if (goroutine* main = s.exit_waiter.exchange(nullptr, std::memory_order_acq_rel)) ready(main);
}

// Ends g on w. Returns when the successor goes on on this very stack, from its beginning; else does not return.
PIRN_ALWAYS_INLINE void finish(worker* w, goroutine* g) noexcept {
  processor* p = w->p;
  scheduler& s = *w->sched;
  g->set_state(g_state::dead);
  happens_before(&s.end_of_run);
  bool back = false;
  if (PIRN_UNLIKELY(g->flags != 0)) back = finish_special(w, g);
  p->finished.store(p->finished.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  if (PIRN_UNLIKELY(s.last_one_tells.load(std::memory_order_relaxed))) finish_last(s);

  stack* stk = g->stk;
  g->stk = nullptr;
  [[maybe_unused]] const std::uint8_t size_class = g->size_class;
  fp_control fp;
  free_goroutine(w, g);

  goroutine* next = back ? nullptr : pick_direct(w, p);
#ifndef PIRN_SANITIZED
  if (next != nullptr && next->stk == nullptr && next->size_class == size_class && size_class != k_own_mapping) {
    // The successor never ran: it takes over the stack, still hot, and no context is switched at all.
    next->stk = stk;
    make_current(w, next);
    switch_fp_control(fp, next->fp);
    return;
  }
#endif
  // The successor's stack is bound first, so that it cannot be this one, which is still in use.
  if (next != nullptr && next->stk == nullptr && !bind_stack(p, next)) {
    p->queue.exchange_next(next);
    next = nullptr;
  }
  // It goes back before it is left: only this worker can take it out again, and not before it has left.
  free_stack(w, stk);
  chaos_step();
  if (next != nullptr) {
    make_current(w, next);
    switch_fp_control(fp, next->fp);
    before_switch(nullptr, next->san);
    jump_context(&next->ctx);
  }
  *w->eh = w->sched_eh;
  w->current = nullptr;
  switch_fp_control(fp, w->sched_fp);
  before_switch(nullptr, w->sched_san);
  jump_context(&w->sched_ctx);
}

// Runs one goroutine after the other on this stack, as long as the next one has none of its own.
[[noreturn]] void run_goroutines() {
  for (;;) {
    worker* w = this_worker();
    goroutine* g = w->current;
    landed(w, g->san);
    happens_after(g);
    *w->errno_at = 0;
    leave(w);
    // No handler here: an exception that leaves it is a panic, with the stack still as it was thrown (panic.cpp).
    g->slot.manage(g->slot, detail::closure_op::run_and_destroy);
    w = enter(this_worker());
    finish(w, g);
  }
}

}  // namespace

void finish_current() noexcept {
  worker* w = enter(this_worker());
  finish(w, w->current);
  // A successor took the stack over, but we come from the unwinder, deep in it: it begins at the top.
  goroutine* g = w->current;
  g->ctx = {g->stk->top(), nullptr, reinterpret_cast<void*>(&pirn_goroutine_entry)};
  jump_context(&g->ctx);
}

}  // namespace pirn::rt

// Used by assembler, which link-time optimisation does not read.
extern "C" {
[[gnu::used]] __thread pirn::rt::worker* pirn_current_worker = nullptr;

[[gnu::used]] void pirn_goroutine_main() { pirn::rt::run_goroutines(); }
}
