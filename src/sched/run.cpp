// Beginning and end of a run. Layer: sched. Essay: docs/internals/scheduler.md "The end of a run".
//
// The end, in order: stop the workers; take what is parked off every queue it stands in (foreign threads may still use
// those queues); forget timers; unpublish the scheduler and wait for foreign threads inside it; free stacks and
// objects. A thread that never comes back (it computes, or sits in a library) keeps the scheduler's memory alive for
// good.
#include "sched/run.h"

#include <sched.h>
#include <sys/prctl.h>

#include <stdexcept>
#include <string>

#include "os/clock.h"
#include "os/debug_setting.h"
#include "os/membarrier.h"
#include "sched/entry.h"
#include "sched/in_place.h"
#include "sched/locked.h"
#include "sched/reports.h"
#include "sched/spawn.h"

namespace pirn::rt {

namespace {

std::atomic<bool> run_under_way{false};

struct main_closure {
  void (*fn)(void*);
  void* arg;
};

void manage_main(detail::closure_slot& slot, detail::closure_op op) {
  main_closure c{};
  __builtin_memcpy(&c, slot.storage, sizeof c);
  if (op != detail::closure_op::run_and_destroy) return;
  c.fn(c.arg);
  main_has_returned();
}

bool never_ran(const goroutine& g) noexcept {
  return g.stk == nullptr || g.ctx.pc == reinterpret_cast<void*>(&pirn_goroutine_entry);
}

bool waits(const goroutine& g) noexcept { return g.get_state() == g_state::waiting; }

// The workers' threads, all but the caller's. False when the grace passed first.
bool wait_for_threads(scheduler& s) noexcept {
  const std::int64_t until = now_ns() + s.grace_ns;
  for (;;) {
    const std::uint32_t left = s.live_threads.load(std::memory_order_acquire);
    if (left == 0) return true;
    if (now_ns() >= until) return false;
    futex_wait(s.live_threads, left, until);
  }
}

// Every goroutine that parked is taken off what it waits on. Those that a foreign thread has in its hands come back by
// the global queue. What else of a stack foreign threads may reach is taken out first, also of who is on its way out of
// a wait.
void unlink_waiting(scheduler& s) {
  s.goroutines.for_each([](goroutine& g) {
    left_at_end_of_run* left = g.extras != nullptr ? g.extras->to_leave : nullptr;
    if (left != nullptr) left->leave(*left);
    if (waits(g) && g.waits_for->unlink != nullptr) g.waits_for->unlink(&g, g.wait_object);
  });
}

// What is queued anywhere, without those that never ran: they are destroyed with the run.
g_list take_queued(scheduler& s) {
  g_list all;
  s.mu.lock();
  while (goroutine* g = s.global.pop_front()) all.push_back(g);
  s.global_count.store(0, std::memory_order_relaxed);
  s.mu.unlock();
  for (int i = 0; i < s.proc_slots.load(std::memory_order_relaxed); ++i) {
    g_list queued = s.procs[static_cast<std::size_t>(i)]->queue.take_all();
    all.append(queued);
  }
  g_list begun;
  while (goroutine* g = all.pop_front()) {
    if (!never_ran(*g)) begun.push_back(g);
  }
  return begun;
}

// Makes every goroutine that waits runnable, to leave by a forced unwind. How many there are to run.
std::uint32_t revive_all(scheduler& s) {
  for (int i = 0; i < s.proc_slots.load(std::memory_order_relaxed); ++i) {
    s.procs[static_cast<std::size_t>(i)]->timers->clear();
  }
  g_list revived = take_queued(s);
  s.goroutines.for_each([&](goroutine& g) {
    if (waits(g)) {
      if (g.waits_for->unlink != nullptr && !g.waits_for->unlink(&g, g.wait_object)) return;
      g.set_state(g_state::runnable);
      revived.push_back(&g);
    }
    if (g.get_state() == g_state::runnable && !never_ran(g)) {
      g.flags |= k_g_unwinding;
      g.flags &= static_cast<std::uint8_t>(~k_g_locked);  // its thread is gone
      happens_before(&g);
    }
  });
  const std::uint32_t count = revived.count;
  push_global(s, revived);
  return count;
}

// at_exit::unwind: only this thread is left. Destructors may start goroutines and wait, so it goes round until none is
// left, or the grace is over.
void unwind_all(scheduler& s, worker* w) {
  w->inside.store(1, std::memory_order_relaxed);  // nobody is left to look at it
  s.draining.store(true, std::memory_order_relaxed);
  s.drain_until = now_ns() + s.grace_ns;
  s.stopping.store(false, std::memory_order_relaxed);
  s.mu.lock();
  s.idle_ps = nullptr;  // nobody is there to be woken
  s.idle_p_count.store(0, std::memory_order_relaxed);
  s.gomaxprocs.store(1, std::memory_order_relaxed);
  s.mu.unlock();
  w->attention.fetch_and(k_attn_fence, std::memory_order_relaxed);
  if (w->p == nullptr) bind_p(w, s.procs[0].get());
  w->locked_g = nullptr;
  w->must_end = false;
  w->spinning = false;
  while (revive_all(s) != 0 && now_ns() < s.drain_until) {
    worker_loop(w);
    happens_after(&s.end_of_run);
  }
  s.stopping.store(true, std::memory_order_relaxed);
}

#ifdef PIRN_ASAN
// What an abandoned goroutine owns was not lost by accident: the leak checker is told of all it may point at.
void forgive_abandoned(goroutine& g) noexcept {
  const auto ignore_all = [](void* from, void* to) noexcept {
    for (auto* word = static_cast<void**>(from); word < to; ++word) __lsan_ignore_object(*word);
  };
  unpoison(g.stk);
  ignore_all(g.ctx.sp, g.stk->top());
  ignore_all(&g, &g + 1);
}
#endif

void destroy_goroutines(scheduler& s) {
  // All closures before any stack: one that never ran may refer to what lies on an abandoned stack.
  s.goroutines.for_each([](goroutine& g) {
    if (g.get_state() == g_state::runnable && never_ran(g)) {
      happens_after(&g);
      g.slot.manage(g.slot, detail::closure_op::destroy);
    }
  });
  s.goroutines.for_each([&](goroutine& g) {
    [[maybe_unused]] const g_state state = g.get_state();
    const bool own = g.stk != nullptr && g.stk->size_class == k_own_mapping;
#ifdef PIRN_ASAN
    if (g.stk != nullptr && state != g_state::dead && state != g_state::idle) forgive_abandoned(g);
#endif
    if (own) s.stacks.unmap_own(g.stk);
#ifdef PIRN_TSAN
    if (!own && g.stk != nullptr) rest_stack(s, g.stk);
#endif
    delete g.extras;
  });
}

#ifdef PIRN_TSAN
void destroy_fibers(scheduler& s) noexcept {
  for (auto& r : s.resting_stacks) {
    for (stack* stk = r.count == 0 ? nullptr : r.first; stk != nullptr; stk = stk->next)
      __tsan_destroy_fiber(stk->fiber);
  }
}
#endif

void tear_down(scheduler* s, worker* main) {
  const bool all_ended = wait_for_threads(*s);
  happens_after(&s->end_of_run);  // what parked goroutines left on their stacks is read now
  if (all_ended) {
    forget_exclusive();
  } else {
    end_exclusive();  // whoever is left computes, outside, and stops at its next entry
  }
  stop_sysmon(*s);
  stop_spawner(*s);                     // from here on no thread begins
  if (all_ended) remove_stop_signal();  // one that is under way to who is left must not do what it does by default
  if (all_ended && s->at_exit == exit_policy::unwind) unwind_all(*s, main);
  detach_thread(main);
  unlink_waiting(*s);
  for (int i = 0; i < s->proc_slots.load(std::memory_order_relaxed); ++i) {
    s->procs[static_cast<std::size_t>(i)]->timers->clear();
  }
  the_scheduler.store(nullptr, std::memory_order_seq_cst);
  end_reports();
  wait_for_foreign_threads();
  happens_after(&s->end_of_run);
  if (!all_ended) {  // somebody may still come back to it, to find that it must stop
#ifdef PIRN_ASAN
    // All of it is kept. The leak checker sees the stacks, not the objects of goroutines.
    s->goroutines.for_each([](goroutine& g) { __lsan_ignore_object(g.extras); });
#endif
    return;
  }
  destroy_goroutines(*s);
#ifdef PIRN_TSAN
  destroy_fibers(*s);
#endif
  for (worker* w : s->workers) {
    if (w->own_mapping_to_free != nullptr) s->stacks.unmap_own(w->own_mapping_to_free);
    delete w;
  }
  delete s;
}

void check(const run_options& o) {
  if (o.gomaxprocs < 0) throw std::invalid_argument("pirn::run: negative gomaxprocs");
  if (o.grace_ns < 0) throw std::invalid_argument("pirn::run: negative shutdown_grace");
  constexpr std::size_t k_absurd = std::size_t{1} << 46;
  if (o.stack_size > k_absurd || o.main_stack_size > k_absurd) {
    throw std::invalid_argument("pirn::run: impossible stack size");
  }
  if (stack_class_for(o.stack_size) == k_own_mapping) {
    throw std::invalid_argument("pirn::run: default stack size beyond " +
                                std::to_string(k_stack_class_bytes[k_stack_classes - 1]) +
                                " bytes; give single goroutines more by spawn_options");
  }
}

}  // namespace

void begin_stopping(scheduler& s) noexcept {
  const std::uint32_t how = s.at_exit == exit_policy::unwind ? 0 : k_attn_stop;
  s.mu.lock();
  s.stopping.store(true, std::memory_order_seq_cst);
  for (worker* w : s.workers) {
    w->attention.fetch_or(how, std::memory_order_seq_cst);
    wake(*w);
  }
  s.mu.unlock();
}

namespace {
void publish_exit_waiter(void* g) noexcept {
  worker* w = this_worker();
  scheduler& s = *w->sched;
  s.exit_waiter.store(static_cast<goroutine*>(g), std::memory_order_relaxed);
  s.last_one_tells.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one of whoever finishes last (park.cpp)
  if (live_goroutines(s) > 1) return;
  if (goroutine* main = s.exit_waiter.exchange(nullptr, std::memory_order_acq_rel)) ready(main);
}
}  // namespace

void main_has_returned() {
  const entry e;
  worker* w = e.on();
  w->sched->main_returned.store(true, std::memory_order_relaxed);
  if (w->sched->at_exit != exit_policy::wait) return;
  static constexpr park_kind k_exit_wait{"at_exit wait", nullptr};
  if (live_goroutines(*w->sched) > 1) park(k_exit_wait, nullptr, switch_work::call(publish_exit_waiter, w->current));
}

void run_main(const run_options& o, void (*fn)(void*), void* arg) {
  check(o);
  if (this_worker() != nullptr) throw std::logic_error("pirn::run: called inside a run");
  if (run_under_way.exchange(true, std::memory_order_acq_rel)) {
    throw std::logic_error("pirn::run: another run is under way");
  }
  struct end_of_run {
    ~end_of_run() { run_under_way.store(false, std::memory_order_release); }
  } at_end;

  init_chaos();
  init_membarrier();
  watch_forks();
  init_cycle_clock();
  std::unique_ptr<scheduler> owned(new scheduler);  // not zeroed as a whole: ThreadSanitizer would see that
  scheduler& s = *owned;
  s.default_stack_class = stack_class_for(o.stack_size);
  s.at_exit = o.at_exit;
  s.grace_ns = o.grace_ns;
  // For tests, to have many turns in little time: microseconds.
  if (const long us = debug_setting("preemptslice", 0); us > 0) s.slice_ns = us * 1000;
  s.began_ns = now_ns();
  s.procs.reserve(k_max_procs);
  begin_procs(s, o.gomaxprocs);

  worker* w = new_worker(s);
  s.mu.lock();
  processor* p = pop_idle_p_locked(s);
  s.mu.unlock();
  bind_p(w, p);
  the_scheduler.store(&s, std::memory_order_release);

  goroutine* g = nullptr;
  try {
    g = new_goroutine(o.main_stack_size, nullptr);  // as from a foreign thread: this one is no worker yet
    if (o.lock_main_thread) {
      need_extras(g);
      lock_to_thread(w, g);
    }
  } catch (...) {
    the_scheduler.store(nullptr, std::memory_order_seq_cst);
    delete w;
    throw;
  }
  const main_closure closure{fn, arg};
  static_assert(sizeof closure <= detail::closure_slot::k_inline);
  __builtin_memcpy(g->slot.storage, &closure, sizeof closure);
  g->slot.manage = manage_main;
  g->flags |= k_g_main;
  g->id = s.next_id.fetch_add(1, std::memory_order_relaxed);
  s.created_outside.fetch_add(1, std::memory_order_relaxed);
  g->set_state(g_state::runnable);
  happens_before(g);

  // The calling thread's own settings come back to it at the end.
  const int slack = prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL);
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  pthread_sigmask(SIG_SETMASK, nullptr, &s.signals);
  begin_reports(s);
  attach_thread(w);
  install_stop_signal(chosen_stop_signal(o.preempt_signal, s.signals));
  begin_exclusive(s);
  start_spawner(s);
  start_sysmon(s);
  p->queue.try_push_tail(g);
  run_worker(w);
  // The thread of a goroutine that ended bound to it would end too; this one cannot, it waits for the run.
  while (!s.stopping.load(std::memory_order_acquire)) w->wake.wait();
  tear_down(owned.release(), w);
  prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack > 0 ? slack : 0), 0UL, 0UL, 0UL);
}

}  // namespace pirn::rt
