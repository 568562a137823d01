// Goroutines bound to threads, and sections in which a goroutine gives its P up. Layer: sched.
//
// A bound goroutine runs on its own thread only. Whoever finds it runnable gives that thread its P along with it; its
// thread, while it is parked, holds no P and sleeps.
// Invariant: g is bound to w  <=>  w->locked_g == g  <=>  g->extras->locked_to == w and g has k_g_locked.
#include "sched/locked.h"

#include "os/clock.h"
#include "os/membarrier.h"
#include "sched/entry.h"

namespace pirn::rt {

void hand_on(scheduler& s, processor* p) noexcept {
  p->holder.store(nullptr, std::memory_order_relaxed);
  bool busy = !p->queue.empty() || s.global_count.load(std::memory_order_relaxed) != 0 || any_queue_has_work(s);
  if (const std::int64_t timer = next_timer(s); !busy && timer != k_forever) {
    // Somebody must keep the time; but not while others wait for the P, then sysmon does.
    busy = s.in_place_count.load(std::memory_order_relaxed) == 0 || timer <= now_ns();
  }
  busy = busy || wants_keeper(s);  // [NP-1]
  if (busy && !p->retired.load(std::memory_order_relaxed)) {
    start_worker(s, p, false);
    return;
  }
  g_list left = p->queue.take_all();
  s.mu.lock();
  s.global.append(left);
  s.global_count.store(s.global.size(), std::memory_order_relaxed);
  push_idle_p_locked(s, p);
  s.mu.unlock();
  heavy_barrier();  // [ID-2]: what came in meanwhile saw no idle P
  // [NP-1] The keeper may have stopped when it saw no idle P yet.
  if (s.global_count.load(std::memory_order_relaxed) != 0 || any_queue_has_work(s) || wants_keeper(s))
    wake_if_needed(s);
}

void hand_to_locked(worker* w, goroutine* g) noexcept {
  worker* own = g->extras->locked_to;
  processor* p = w->p;
  w->p = nullptr;
  p->holder.store(nullptr, std::memory_order_relaxed);
  own->handed_p = p;
  wake(*own);
}

namespace {

// Sleeps until another worker hands over a P together with w's own goroutine. False when the run is over.
bool wait_for_hand_over(worker* w) noexcept {
  for (;;) {
    const bool over = w->sched->stopping.load(std::memory_order_acquire);
    // The signal that tells so may have been consumed already, while the goroutine was stopped in place.
    if (over) {
      w->wake.try_consume();
    } else {
      w->wake.wait();
    }
    if (processor* p = w->handed_p) {
      w->handed_p = nullptr;
      bind_p(w, p);
      return true;
    }
    if (over) return false;
  }
}

}  // namespace

goroutine* wait_for_own_goroutine(worker* w) noexcept {
  scheduler& s = *w->sched;
  goroutine* g = w->locked_g;
  if (w->spinning) stop_spinning(w);
  if (processor* p = w->p) {
    w->p = nullptr;
    hand_on(s, p);
  }
  return wait_for_hand_over(w) ? g : nullptr;
}

worker* take_p_back(worker* w) noexcept {
  scheduler& s = *w->sched;
  s.mu.lock();
  no_longer_away_locked(s, w);
  processor* p = pop_idle_p_locked(s);
  s.mu.unlock();
  if (p != nullptr) {
    bind_p(w, p);
    return w;
  }
  goroutine* g = w->current;
  if (w->locked_g != g) {
    requeue_without_p();
    return this_worker();
  }
  g->set_state(g_state::runnable);
  push_global(s, g);
  wake_if_needed(s);
  if (!wait_for_hand_over(w)) abandon_current();
  g->set_state(g_state::running);
  return w;
}

void lock_to_thread(worker* w, goroutine* g) noexcept {
  if (g->extras->lock_count++ != 0) return;
  g->extras->locked_to = w;
  happens_after(&w->locked_g);  // whoever had the thread before: its thread-local variables pass on
  g->flags |= k_g_locked;
  w->locked_g = g;
}

void unlock_from_thread(worker* w, goroutine* g) noexcept {
  if (g->extras == nullptr || g->extras->lock_count == 0) return;
  if (--g->extras->lock_count != 0) return;
  g->extras->locked_to = nullptr;
  happens_before(&w->locked_g);
  g->flags &= static_cast<std::uint8_t>(~k_g_locked);
  w->locked_g = nullptr;
}

void begin_blocking() {
  worker* w = this_worker();
  goroutine* g = w->current;
  need_extras(g);
  // Calls into pirn from inside the section come back to this thread: the section runs on it.
  lock_to_thread(w, g);
  // [AW-1] Plain, as all that the section costs while nobody wants the P. Sysmon, which does, looks twice.
  w->in_call.store(w->in_call.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  scheduler& s = *w->sched;
  if (PIRN_UNLIKELY(s.sysmon_lazy.load(std::memory_order_relaxed))) {
    s.sysmon_lazy.store(false, std::memory_order_relaxed);
    s.sysmon_event.signal();
  }
}

void end_blocking() noexcept {
  worker* w = enter(this_worker());  // bound: it is the same before and after
  // [AW-2] Inside: sysmon, if it takes the P, has done so, and enter() has got one again.
  w->in_call.store(w->in_call.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  unlock_from_thread(w, w->current);
  leave(w);
}

}  // namespace pirn::rt
