// Who sleeps, who looks for work, and when a sleeper is woken. Layer: sched.
// Essay: docs/internals/scheduler.md "Sleeping and waking". Model: docs/internals/models/idle.pml.
//
// Orderings
//   [ID-1] submit: queue the work (plain stores of the owner, or under mu); light_barrier; read idle_p_count, spinning.
//   [ID-2] going idle: publish the idle P, end spinning (under mu); heavy_barrier; look at every queue again. It is
//          left out when every P is idle: nobody then has a queue of his own, and the global one is filled under mu.
//   The two are a Dekker pair: the submitter sees the idle P or the one going idle sees the work. Work in a P's `next`
//   slot alone is not announced (it runs as soon as its maker stops); sysmon bounds how long it waits.
#include "os/clock.h"
#include "os/membarrier.h"
#include "sched/in_place.h"

namespace pirn::rt {

processor* pop_idle_p_locked(scheduler& s) noexcept {
  processor* p = s.idle_ps;
  if (p == nullptr) return nullptr;
  s.idle_ps = p->next_idle;
  p->owned = true;
  s.idle_p_count.fetch_sub(1, std::memory_order_relaxed);
  if (s.sysmon_deep) {
    s.sysmon_deep = false;
    s.sysmon_event.signal();
  }
  return p;
}

void push_idle_p_locked(scheduler& s, processor* p) noexcept {
  p->holder.store(nullptr, std::memory_order_relaxed);
  p->owned = false;
  if (p->retired.load(std::memory_order_relaxed)) return;
  if (worker* stopped = pop_in_place_locked(s)) {  // [IP-2]
    grant_locked(s, stopped, p);
    return;
  }
  p->next_idle = s.idle_ps;
  s.idle_ps = p;
  s.idle_p_count.fetch_add(1, std::memory_order_relaxed);
}

void bind_p(worker* w, processor* p) noexcept {
  w->p = p;
  p->tick.store(p->tick.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // sysmon: it has moved
  p->holder.store(w, std::memory_order_release);
}

void push_global(scheduler& s, goroutine* g) noexcept {
  s.mu.lock();
  s.global.push_back(g);
  s.global_count.store(s.global.size(), std::memory_order_relaxed);
  s.mu.unlock();
}

void push_global(scheduler& s, g_list& list) noexcept {
  s.mu.lock();
  s.global.append(list);
  s.global_count.store(s.global.size(), std::memory_order_relaxed);
  s.mu.unlock();
}

goroutine* pop_global(scheduler& s) noexcept {
  s.mu.lock();
  goroutine* g = s.global.pop_front();
  s.global_count.store(s.global.size(), std::memory_order_relaxed);
  s.mu.unlock();
  return g;
}

namespace {

void list_worker_locked(scheduler& s, worker* w) noexcept {
  w->prev_idle = nullptr;
  w->next_idle = s.idle_workers;
  (s.idle_workers != nullptr ? s.idle_workers->prev_idle : s.last_idle_worker) = w;
  s.idle_workers = w;
  w->on_idle_list = true;
  ++s.idle_worker_count;
}

void unlist_worker_locked(scheduler& s, worker* w) noexcept {
  if (w->prev_idle != nullptr) {
    w->prev_idle->next_idle = w->next_idle;
  } else {
    s.idle_workers = w->next_idle;
  }
  (w->next_idle != nullptr ? w->next_idle->prev_idle : s.last_idle_worker) = w->prev_idle;
  w->on_idle_list = false;
  if (w->lingers) --s.lingering_workers;
  w->lingers = false;
  --s.idle_worker_count;
  if (s.timekeeper == w) s.timekeeper = nullptr;
}

PIRN_COLD void wake_slow(scheduler& s) noexcept {
  int none = 0;
  if (!s.spinning.compare_exchange_strong(none, 1, std::memory_order_seq_cst)) return;
  s.mu.lock();
  processor* p = pop_idle_p_locked(s);
  // Taken back under mu: whoever publishes an idle P after this is seen together with nobody spinning.
  if (p == nullptr) s.spinning.fetch_sub(1, std::memory_order_seq_cst);
  s.mu.unlock();
  if (p != nullptr) start_worker(s, p, true);
}

// Takes what the one who woke w left for it.
void accept(worker* w) noexcept {
  processor* p = w->handed_p;
  w->handed_p = nullptr;
  if (p != nullptr) bind_p(w, p);
}

// A thread that nobody has needed for so long ends, if there are others.
constexpr std::int64_t k_linger_ns = 500'000'000;

// Every idle P may need a thread, and one more is kept: threads that get stuck in a call come one by one.
bool too_many_idle_locked(const scheduler& s) noexcept {
  return s.idle_worker_count > static_cast<std::uint32_t>(s.idle_p_count.load(std::memory_order_relaxed)) + 1;
}

// Ends one that has lingered and was needed then, if it no longer is. The caller of run() cannot end, and who keeps the
// time does not look at all, so each that begins to sleep asks for this: the last one may be one of these.
void end_one_that_lingers_locked(scheduler& s) noexcept {
  if (PIRN_LIKELY(s.lingering_workers == 0) || !too_many_idle_locked(s)) return;
  worker* w = s.last_idle_worker;  // the oldest
  while (!w->lingers) w = w->prev_idle;
  unlist_worker_locked(s, w);
  w->must_end = true;
  w->wake.signal();  // with no P
}

// Once w has waited for work for a while: whether it ends.
bool end_if_superfluous(worker* w) noexcept {
  scheduler& s = *w->sched;
  s.mu.lock();
  const bool end = w->on_idle_list && w->index != 0 && too_many_idle_locked(s);
  if (end) {
    unlist_worker_locked(s, w);
    w->must_end = true;
  } else if (w->on_idle_list) {
    end_one_that_lingers_locked(s);
    if (w->index != 0 && !w->lingers) {
      w->lingers = true;
      ++s.lingering_workers;
    }
  }
  s.mu.unlock();
  return end;
}

// Sleeps while on the idle list. True when woken by somebody (who took w off the list), false when `deadline` passed.
bool sleep_listed(worker* w, std::int64_t deadline) noexcept {
  if (w->wake.wait(deadline)) {
    accept(w);
    return true;
  }
  scheduler& s = *w->sched;
  s.mu.lock();
  if (!w->on_idle_list) {
    s.mu.unlock();
    w->wake.wait();  // the signal is under way
    accept(w);
    return true;
  }
  if (s.timekeeper == w) s.timekeeper = nullptr;
  if (processor* p = pop_idle_p_locked(s)) {
    unlist_worker_locked(s, w);
    s.mu.unlock();
    bind_p(w, p);
    return true;
  }
  s.mu.unlock();
  return false;
}

// Sleeps in the poller while on the idle list. True as above. Without an idle P what is ready goes to those who have
// one, and they look after the poller from now on.
bool sleep_as_keeper(worker* w, std::int64_t deadline) noexcept {
  scheduler& s = *w->sched;
  ready_list ready;
  const bool signalled = keep_watch(w, deadline, ready);
  s.mu.lock();
  const bool woken = !w->on_idle_list;
  processor* p = nullptr;
  // Only now, also when somebody took it off the list long ago: two in the poller would take each other's
  // interruptions.
  s.net.keeper = nullptr;
  s.net.kept.store(false, std::memory_order_relaxed);
  if (!woken) {
    if (s.timekeeper == w) s.timekeeper = nullptr;
    if (ready.count != 0 || (deadline != k_forever && now_ns() >= deadline)) p = pop_idle_p_locked(s);
    if (p != nullptr) unlist_worker_locked(s, w);
  }
  s.mu.unlock();
  if (woken) {
    if (!signalled) w->wake.wait();  // it is under way
    accept(w);
  } else if (p != nullptr) {
    bind_p(w, p);
  }
  const bool more = ready.count > 1;
  if (w->p != nullptr) {
    queue_ready(w, ready);
    if (more) wake_if_needed(s);
  } else if (ready.count != 0) {
    push_global_ready(s, ready);
    wake_if_needed(s);
  }
  return woken || p != nullptr;
}

// Who is given the P to be run next. The keeper stays in the poller while another P is idle, and leaves it with the
// last one: those who have Ps look themselves.
worker* idle_worker_locked(scheduler& s) noexcept {
  worker* keeper = s.net.keeper;
  if (keeper != nullptr && keeper->on_idle_list && s.idle_ps == nullptr) return keeper;
  worker* w = s.idle_workers;
  return w == keeper && w != nullptr && w->next_idle != nullptr ? w->next_idle : w;
}

}  // namespace

void wake_if_needed(scheduler& s) noexcept {
  light_barrier();  // [ID-1]
  if (PIRN_LIKELY(s.idle_p_count.load(std::memory_order_relaxed) == 0)) return;
  if (s.spinning.load(std::memory_order_relaxed) != 0) return;
  wake_slow(s);
}

void stop_spinning(worker* w) noexcept {
  scheduler& s = *w->sched;
  w->spinning = false;
  s.spinning.fetch_sub(1, std::memory_order_seq_cst);
  // A locked instruction of x86-64 is a fence for what follows; elsewhere this is the light side to ID-2.
  light_barrier();
  // While we span, submitters woke nobody: look once more on their behalf. The barrier makes their queues visible.
  if (s.idle_p_count.load(std::memory_order_relaxed) == 0) return;
  heavy_barrier();
  if (s.global_count.load(std::memory_order_relaxed) != 0 || any_queue_has_work(s)) wake_if_needed(s);
}

void start_worker(scheduler& s, processor* p, bool spinning) noexcept {
  s.mu.lock();
  worker* w = idle_worker_locked(s);
  if (w == nullptr) {
    ask_for_thread_locked(s, p, spinning);
    s.mu.unlock();
    s.spawner_event.signal();
    return;
  }
  unlist_worker_locked(s, w);
  w->handed_p = p;
  w->spinning = spinning;
  s.mu.unlock();
  wake(*w);
}

namespace {
// Until woken, ended, or the run is over. REQUIRES: on the idle list.
void sleep_without_time(worker* w) noexcept {
  if (w->wake.wait(now_ns() + k_linger_ns)) {
    accept(w);
    return;
  }
  while (!w->sched->stopping.load(std::memory_order_relaxed) && !end_if_superfluous(w)) {
    if (sleep_listed(w, k_forever)) return;
  }
}
}  // namespace

void sleep_without_p(worker* w) noexcept {
  scheduler& s = *w->sched;
  s.mu.lock();
  if (s.stopping.load(std::memory_order_relaxed)) {
    s.mu.unlock();
    return;
  }
  list_worker_locked(s, w);
  end_one_that_lingers_locked(s);
  s.mu.unlock();
  sleep_without_time(w);
}

void go_idle(worker* w) noexcept {
  scheduler& s = *w->sched;
  s.mu.lock();
  if (s.global.size() != 0 || s.stopping.load(std::memory_order_relaxed)) {
    s.mu.unlock();
    return;
  }
  push_idle_p_locked(s, w->p);
  w->p = nullptr;
  list_worker_locked(s, w);
  end_one_that_lingers_locked(s);
  if (w->spinning) {
    w->spinning = false;
    s.spinning.fetch_sub(1, std::memory_order_seq_cst);
  }
  const bool all_idle = s.idle_p_count.load(std::memory_order_relaxed) == s.gomaxprocs.load(std::memory_order_relaxed);
  s.mu.unlock();
  if (!all_idle) heavy_barrier();  // [ID-2]

  while (!s.stopping.load(std::memory_order_relaxed)) {
    const std::int64_t deadline = next_timer(s);
    const bool work = s.global_count.load(std::memory_order_relaxed) != 0 || any_queue_has_work(s);
    const bool pollable = s.net.backend.load(std::memory_order_acquire) != nullptr;
    bool keeper = false;
    bool watch = false;
    s.mu.lock();
    if (w->on_idle_list) {
      if (work) {
        if (processor* p = pop_idle_p_locked(s)) {
          unlist_worker_locked(s, w);
          w->spinning = true;
          s.spinning.fetch_add(1, std::memory_order_seq_cst);
          s.mu.unlock();
          bind_p(w, p);
          return;
        }
      }
      // One sleeper is in the poller [NP-1] and one keeps the time; that is the same one unless a timer came later. A P
      // that is idle has nobody else to do so for it.
      if (pollable && s.idle_ps != nullptr && s.net.keeper == nullptr) {
        s.net.keeper = w;
        s.net.kept.store(true, std::memory_order_relaxed);
        watch = true;
      }
      if (deadline != k_forever && s.idle_ps != nullptr &&
          (s.timekeeper == nullptr || s.timekeeper->sleeps_until > deadline)) {
        s.timekeeper = w;
        w->sleeps_until = deadline;
        keeper = true;
      }
    }
    s.mu.unlock();
    if (watch) {
      if (sleep_as_keeper(w, keeper ? deadline : k_forever)) return;
      continue;
    }
    if (!keeper) {
      sleep_without_time(w);
      return;
    }
    if (sleep_listed(w, deadline)) return;
  }
}

}  // namespace pirn::rt
