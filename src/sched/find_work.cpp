// What a worker runs next. Layer: sched. Reads top-down as the search order of the essay: due timers, every 61st time
// the global queue, the own queue, the global queue, the poller, all timers, other Ps, spin a little, sleep. A thread
// stopped in place gets the P when there is nothing of these, or when its kind has waited for a slice (grant_is_due).
#include "os/clock.h"
#include "sched/entry.h"
#include "sched/in_place.h"

namespace pirn::rt {

namespace {

constexpr int k_spin_rounds = 4;
constexpr int k_pauses_per_round = 50;  // about half a microsecond

void own_timers(worker* w) noexcept {
  timer_heap& heap = *w->p->timers;
  const std::int64_t when = heap.next_when();
  if (when == k_forever) return;
  const std::int64_t now = now_ns();
  if (when <= now) run_timers(w, heap, now);
}

// The round in which nobody is preferred: global queue first, then what has waited longest, before the slot, so that
// two goroutines that keep waking each other through the slot starve nobody.
goroutine* fair_round(worker* w) noexcept {
  processor* p = w->p;
  scheduler& s = *w->sched;
  if (s.global_count.load(std::memory_order_relaxed) != 0) {
    if (goroutine* g = pop_global(s)) return g;
  }
  goroutine* g = p->queue.pop_oldest();
  return g != nullptr ? g : p->queue.take_next();
}

// At most half of the busy Ps' number spin, and nobody when all others are idle: who should make work?
bool may_spin(scheduler& s) noexcept {
  const int busy = s.gomaxprocs.load(std::memory_order_relaxed) - s.idle_p_count.load(std::memory_order_relaxed);
  return busy > 1 && 2 * s.spinning.load(std::memory_order_relaxed) < busy;
}

goroutine* look_elsewhere(worker* w) noexcept {
  scheduler& s = *w->sched;
  if (s.gomaxprocs.load(std::memory_order_relaxed) == 1) return nullptr;
  if (!w->spinning) {
    if (!may_spin(s)) return nullptr;
    w->spinning = true;
    s.spinning.fetch_add(1, std::memory_order_seq_cst);
  }
  for (int round = 0; round < k_spin_rounds; ++round) {
    if (goroutine* g = steal(w)) return g;
    if (goroutine* g = take_from_global(w)) return g;
    if (s.stopping.load(std::memory_order_relaxed)) return nullptr;
    for (int i = 0; i < k_pauses_per_round; ++i) cpu_pause();
  }
  return nullptr;
}

// One goroutine, without waiting for one.
goroutine* try_find(worker* w) noexcept {
  processor* p = w->p;
  scheduler& s = *w->sched;
  own_timers(w);
  if (p->until_global_check == 0 || chaos_chance(32)) {
    p->until_global_check = k_global_check;
    if (p->until_poll-- == 0) {
      p->until_poll = k_poll_check;
      poll_network(w);
    }
    if (goroutine* g = fair_round(w)) return g;
  }
  if (goroutine* g = p->queue.pop()) return g;
  if (goroutine* g = take_from_global(w)) return g;
  if (PIRN_UNLIKELY(wants_keeper(s))) {
    poll_network(w);
    if (goroutine* g = p->queue.pop()) return g;
  }
  if (next_timer(s) != k_forever) {
    run_all_timers(w, now_ns());
    if (goroutine* g = p->queue.pop()) return g;
  }
  return look_elsewhere(w);
}

void park_stackless(scheduler& s, goroutine* g) noexcept {
  s.mu.lock();
  s.stackless.push_back(g);
  s.stackless_count.store(s.stackless.count, std::memory_order_relaxed);
  s.mu.unlock();
}

// Nothing runs, nothing waits for time, and goroutines wait for stacks that nobody will give back.
void check_stuck_without_stacks(worker* w) noexcept {
  scheduler& s = *w->sched;
  if (PIRN_LIKELY(s.stackless_count.load(std::memory_order_relaxed) == 0)) return;
  s.mu.lock();
  const bool alone = s.idle_p_count.load(std::memory_order_relaxed) + 1 == s.gomaxprocs.load(std::memory_order_relaxed);
  goroutine* g = alone && s.global.size() == 0 ? s.stackless.pop_front() : nullptr;
  s.stackless_count.store(s.stackless.count, std::memory_order_relaxed);
  s.mu.unlock();
  if (g == nullptr || next_timer(s) != k_forever) {
    if (g != nullptr) park_stackless(s, g);
    return;
  }
  if (!bind_stack(w->p, g)) fatal("out of memory (goroutine stacks)");
  w->p->queue.try_push_tail(g);  // the queue is empty: else this worker would not be idle
}

// The run is over and the last goroutines unwind on this thread: waits for a timer of theirs, or for what they read and
// write, within the grace.
bool wait_while_draining(worker* w) noexcept {
  scheduler& s = *w->sched;
  const std::int64_t when = next_timer(s);
  if (live_goroutines(s) == 0) return false;
  if (somebody_waits_for_outside(s) && now_ns() < s.drain_until) {
    ready_list ready;
    keep_watch(w, when < s.drain_until ? when : s.drain_until, ready);
    queue_ready(w, ready);
    return true;
  }
  if (when > s.drain_until) return false;
  std::atomic<std::uint32_t> nobody{0};
  futex_wait(nobody, 0, when);
  return true;
}

}  // namespace

goroutine* take_from_global(worker* w) noexcept {
  scheduler& s = *w->sched;
  const std::uint32_t size = s.global_count.load(std::memory_order_relaxed);
  if (size == 0) return nullptr;
  std::uint32_t most = size / static_cast<std::uint32_t>(s.gomaxprocs.load(std::memory_order_relaxed)) + 1;
  if (most > run_queue::k_capacity / 2) most = run_queue::k_capacity / 2;
  goroutine* share[run_queue::k_capacity / 2];
  s.mu.lock();
  const std::uint32_t n = s.global.take(share, most);
  s.global_count.store(s.global.size(), std::memory_order_relaxed);
  s.mu.unlock();
  for (std::uint32_t i = 1; i < n; ++i) w->p->queue.try_push_tail(share[i]);  // the ring is empty here
  return n == 0 ? nullptr : share[0];
}

std::int64_t next_timer(scheduler& s) noexcept {
  std::int64_t earliest = k_forever;
  const int n = s.proc_slots.load(std::memory_order_acquire);
  for (int i = 0; i < n; ++i) {
    const std::int64_t when = s.procs[static_cast<std::size_t>(i)]->timers->next_when();
    if (when < earliest) earliest = when;
  }
  return earliest;
}

void run_timers(worker* w, timer_heap& heap, std::int64_t now) noexcept {
  due_timers due;
  if (!heap.run_due(now, due)) return;
  while (goroutine* g = due.wake_first) {
    due.wake_first = g->next;
    // Beside goroutines that compute the first one goes next: those in the queue may be more of their kind.
    if (PIRN_UNLIKELY(w->sched->in_place_count.load(std::memory_order_relaxed) != 0) && !w->p->queue.has_next()) {
      ready_on(w, g);
      continue;
    }
    g->set_state(g_state::runnable);
    happens_before(g);
    queue_last(w, g);  // in the order of their instants
  }
  while (timer_node* t = due.deferred_first) {
    due.deferred_first = t->next_fired;
    t->kind->fire(*t, t->fired_due);
    heap.unpin(*t);
  }
  // One of them this worker runs itself.
  if (w->p->queue.size() + (w->p->queue.has_next() ? 1 : 0) > 1) wake_if_needed(*w->sched);
}

void run_all_timers(worker* w, std::int64_t now) noexcept {
  scheduler& s = *w->sched;
  const int n = s.proc_slots.load(std::memory_order_acquire);
  for (int i = 0; i < n; ++i) {
    timer_heap& heap = *s.procs[static_cast<std::size_t>(i)]->timers;
    if (heap.next_when() <= now) run_timers(w, heap, now);
  }
}

bool bind_stack(processor* p, goroutine* g) noexcept {
  stack_magazine& free = p->free_stacks[g->size_class];
  scheduler& s = *this_worker()->sched;
#ifdef PIRN_TSAN
  stack* stk = take_rested_stack(s, g->size_class);
  if (stk == nullptr) stk = free.try_pop();
#else
  stack* stk = free.try_pop();
#endif
  if (PIRN_UNLIKELY(stk == nullptr)) {
    if (!s.stacks.refill(g->size_class, free)) return false;
    stk = free.try_pop();
  }
  g->stk = stk;
  prepare_stack(g);
  return true;
}

void prepare_stack(goroutine* g) noexcept {
  stack* stk = g->stk;
  g->ctx = {stk->top(), nullptr, reinterpret_cast<void*>(&pirn_goroutine_entry)};
  if (PIRN_UNLIKELY(stk->unguarded)) g->flags |= k_g_unguarded;
#ifdef PIRN_ASAN
  g->san.fake_stack = nullptr;
  g->san.bottom = stk->usable_low();
  g->san.size = static_cast<std::size_t>(stk->top() - stk->usable_low());
  unpoison(stk);
#endif
#ifdef PIRN_TSAN
  if (stk->fiber == nullptr) stk->fiber = __tsan_create_fiber(0);
  g->san.fiber = stk->fiber;
  g->san.busy = &stk->fiber_busy;
#endif
}

#ifdef PIRN_TSAN
stack* take_rested_stack(scheduler& s, std::uint8_t size_class) noexcept {
  constexpr std::uint32_t k_rest = 32;  // so many other goroutines come between two that share a fiber
  s.mu.lock();
  scheduler::resting& r = s.resting_stacks[size_class];
  stack* stk = nullptr;
  if (r.count > k_rest) {
    stk = r.first;
    r.first = stk->next;
    --r.count;
  }
  s.mu.unlock();
  return stk;
}

void rest_stack(scheduler& s, stack* stk) noexcept {
  s.mu.lock();
  scheduler::resting& r = s.resting_stacks[stk->size_class];
  stk->next = nullptr;
  (r.count == 0 ? r.first : r.last->next) = stk;
  r.last = stk;
  ++r.count;
  s.mu.unlock();
}
#endif

goroutine* find_work(worker* w) noexcept {
  scheduler& s = *w->sched;
  for (;;) {
    if (PIRN_UNLIKELY(w->locked_g != nullptr)) {
      goroutine* own = wait_for_own_goroutine(w);
      if (own == nullptr || bind_or_defer(w, own)) return own;
      continue;
    }
    if (PIRN_UNLIKELY(w->must_end)) {
      if (processor* p = w->p) {
        w->p = nullptr;
        hand_on(s, p);
      }
      return nullptr;
    }
    if (PIRN_UNLIKELY(s.stopping.load(std::memory_order_relaxed))) return nullptr;
    if (PIRN_UNLIKELY(w->p == nullptr)) {
      sleep_without_p(w);
      continue;
    }
    const std::uint32_t why = w->attention.load(std::memory_order_relaxed);
    if (PIRN_UNLIKELY((why & k_attn_share) != 0)) share_queue(w);
    if (PIRN_UNLIKELY(w->p->retired.load(std::memory_order_relaxed))) {
      if (w->spinning) stop_spinning(w);
      drop_retired_p(w);
      continue;
    }

    if (w->p->until_global_check == 0 && grant_is_due(s)) {
      grant_own_p(w);
      continue;
    }

    goroutine* g = try_find(w);
    if (g == nullptr) {
      check_stuck_without_stacks(w);
      if (!w->p->queue.empty()) continue;
      if (PIRN_UNLIKELY(s.draining.load(std::memory_order_relaxed)) && !wait_while_draining(w)) return nullptr;
      if (!s.draining.load(std::memory_order_relaxed)) go_idle(w);
      continue;
    }
    if (w->spinning) stop_spinning(w);
    if (PIRN_UNLIKELY((g->flags & k_g_locked) != 0) && g->extras->locked_to != w) {
      hand_to_locked(w, g);
      continue;
    }
    if (bind_or_defer(w, g)) return g;
  }
}

bool bind_or_defer(worker* w, goroutine* g) noexcept {
  if (g->stk != nullptr || bind_stack(w->p, g)) return true;
  park_stackless(*w->sched, g);
  return false;
}

}  // namespace pirn::rt
