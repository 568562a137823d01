// The thread without a P. Layer: sched. It starts threads, keeps the coarse clock, and bounds how long work may wait
// where no event would ever announce it: goroutines queued behind one that computes, and timers of idle Ps whose
// timekeeper was woken for something else.
//
// It looks often (50 us) after it found something, ever more seldom when it did not (2 ms), and sleeps for good once
// nothing has run for a while and every P is idle: an idle process is not woken. Whoever then takes an idle P wakes it.
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>

#include "os/clock.h"
#include "sched/reports.h"
#include "sched/scheduler.h"

namespace pirn::rt {

namespace {

constexpr std::int64_t k_shortest_ns = 50'000;
constexpr std::int64_t k_longest_ns = 2'000'000;
constexpr std::int64_t k_longest_alone_ns = 10'000'000;  // one P: there is nobody to give work to
constexpr int k_quiet_rounds = 8;
constexpr std::int64_t k_timer_grace_ns = 100'000;

struct observation {
  bool moved = false;     // some P has dispatched since the last look
  bool stranded = false;  // work was found behind a P that has not
};

observation look_at_procs(scheduler& s) noexcept {
  observation seen;
  const int n = s.proc_slots.load(std::memory_order_acquire);
  for (int i = 0; i < n; ++i) {
    processor* p = s.procs[static_cast<std::size_t>(i)].get();
    const std::uint32_t tick = p->tick.load(std::memory_order_relaxed);
    if (tick != p->seen_tick) {
      p->seen_tick = tick;
      seen.moved = true;
      continue;
    }
    if (p->queue.empty() || p->holder.load(std::memory_order_relaxed) == nullptr) continue;
    if (s.idle_p_count.load(std::memory_order_relaxed) == 0) continue;  // nobody to give it to
    seen.stranded = true;
    if (take_over_queue(s, p, true)) wake_if_needed(s);
  }
  return seen;
}

// Carries out the starts that were asked for; true when there were any.
bool start_threads(scheduler& s) noexcept {
  bool any = false;
  for (;;) {
    s.mu.lock();
    // Once the run stops no thread may begin: whoever waits for them to end would not know of it.
    processor* p = s.stopping.load(std::memory_order_relaxed) ? nullptr : s.starts;
    if (p != nullptr) {
      s.starts = p->next_start;
      s.live_threads.fetch_add(1, std::memory_order_relaxed);
    }
    s.mu.unlock();
    if (p == nullptr) return any;
    any = true;
    start_thread(s, p, p->start_spinning);
  }
}

void* sysmon_main(void* arg) {
  scheduler& s = *static_cast<scheduler*>(arg);
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  std::int64_t delay = k_shortest_ns;
  int quiet = 0;
  while (!s.sysmon_stop.load(std::memory_order_acquire)) {
    s.mu.lock();
    const bool all_idle =
        s.idle_p_count.load(std::memory_order_relaxed) == s.gomaxprocs.load(std::memory_order_relaxed);
    const bool deep = all_idle && quiet >= k_quiet_rounds && s.starts == nullptr;
    s.sysmon_deep = deep;
    s.mu.unlock();
    if (deep) check_deadlock(s);
    s.sysmon_event.wait(std::min(deep ? k_forever : now_ns() + delay, next_report()));
    serve_reports(s);
    if (deep) {
      quiet = 0;
      delay = k_shortest_ns;
    }
    const std::int64_t now = now_ns();
    s.coarse_ms.store(static_cast<std::uint32_t>((now - s.began_ns) / 1'000'000), std::memory_order_relaxed);
    start_threads(s);
    follow_limits(s, now);
    const observation seen = look_at_procs(s);
    if (any_queue_has_work(s) || s.global_count.load(std::memory_order_relaxed) != 0 ||
        (s.idle_p_count.load(std::memory_order_relaxed) != 0 && next_timer(s) < now - k_timer_grace_ns)) {
      wake_if_needed(s);
    }
    quiet = seen.moved || !all_idle ? 0 : quiet + 1;
    const std::int64_t longest = s.gomaxprocs.load(std::memory_order_relaxed) == 1 ? k_longest_alone_ns : k_longest_ns;
    delay = seen.stranded ? k_shortest_ns : (delay * 2 < longest ? delay * 2 : longest);
  }
  return nullptr;
}

}  // namespace

void start_sysmon(scheduler& s) {
  const int error = pthread_create(&s.sysmon_thread, nullptr, sysmon_main, &s);
  if (error != 0) {
    errno = error;
    fatal("cannot create the monitor thread");
  }
}

void stop_sysmon(scheduler& s) noexcept {
  s.sysmon_stop.store(true, std::memory_order_release);
  s.sysmon_event.signal();
  pthread_join(s.sysmon_thread, nullptr);
}

}  // namespace pirn::rt
