// The thread without a P. Layer: sched. It keeps the coarse clock and bounds what no event announces: how long work
// waits behind a goroutine that computes or blocks, how long the P of a blocked one stays away from others, how long
// timers of idle Ps are overdue, how long nobody looks what has become ready.
//
// It looks often (50 us) after it found something, ever more seldom when it did not (2 ms), but is there on time when a
// slice ends; and sleeps for good once nothing has run for a while and every P is idle: an idle process is not woken.
// Whoever then takes an idle P wakes it.
//
// It may wait for no lock that user code can hold: it allocates nothing and makes no threads.
#include <sys/prctl.h>

#include <algorithm>

#include "os/clock.h"
#include "sched/in_place.h"
#include "sched/reports.h"

namespace pirn::rt {

namespace {

constexpr std::int64_t k_shortest_ns = 50'000;
constexpr std::int64_t k_longest_ns = 2'000'000;
constexpr std::int64_t k_longest_alone_ns = 10'000'000;  // one P that moves: there is nobody to give work to
constexpr int k_quiet_rounds = 8;
constexpr std::int64_t k_timer_grace_ns = 100'000;
constexpr std::int64_t k_call_ns = 20'000;         // a section of blocking() may keep its P for so long
constexpr std::int64_t k_first_look_ns = 200'000;  // at the state of a thread that has not moved; it costs some 20 us
constexpr std::int64_t k_most_between_looks_ns = 2'000'000;
constexpr std::int64_t k_unwanted_ns = 100'000'000;  // the same where nobody waits
constexpr int k_surely_awake = 8;                    // looks in a row
constexpr std::int64_t k_ask_again_ns = 2'000'000;
constexpr std::int64_t k_thread_takes_long_ns = 2'000'000;

// What one look found, and when the next one is due at the latest.
struct observation {
  std::int64_t now = 0;
  std::int64_t next = k_forever;
  bool moved = false;     // some P has dispatched since the last look
  bool stranded = false;  // something was done for work that waited
  std::int64_t next_timer = k_forever;

  void by(std::int64_t when) noexcept {
    if (when < next) next = when;
  }
};

// The holder is in blocking(), for the second look in the same section.
void look_at_call(scheduler& s, processor* p, observation& seen) noexcept {
  const bool others_idle = s.idle_p_count.load(std::memory_order_relaxed) != 0;
  const std::int64_t age = seen.now - p->unmoved_since;
  std::int64_t patience = others_idle && p->queue.empty() ? s.slice_ns : k_call_ns;
  if (chaos_chance(4)) patience = 0;
  if (age < patience) {
    seen.by(p->unmoved_since + patience);
    return;
  }
  seen.stranded = true;
  chaos_step();
  take_p_away(s, p, p->seen_tick, p->seen_call);
}

// Two looks fit into a slice, however short a test wants it.
std::int64_t first_look_after(const scheduler& s) noexcept { return std::min(k_first_look_ns, s.slice_ns / 2); }

// Whether p's holder has computed since the look before, and not slept in between: a signal would cut the sleep of one
// that sleeps again and again, and happens to be awake just now. But one that is found awake each time computes more
// than it sleeps.
bool computes_for_sure(processor* p, const thread_look& state) noexcept {
  const thread_look before = p->seen_awake == 0 ? thread_look() : p->last_look;
  p->last_look = state;
  p->seen_awake = state.known && state.running ? p->seen_awake + 1 : 0;
  return state.computed_since(before, k_computing_ns) ||
         (p->seen_awake >= k_surely_awake && state.ran_since(before, k_computing_ns));
}

// Nothing tells whether the holder computes or sleeps in the kernel, but the kernel.
void look_at_silent_holder(scheduler& s, processor* p, worker* w, observation& seen) noexcept {
  const bool others_idle = s.idle_p_count.load(std::memory_order_relaxed) != 0;
  const std::int64_t age = seen.now - p->unmoved_since;
  const bool wanted =
      p->retired.load(std::memory_order_relaxed) || !p->queue.empty() ||
      (!others_idle && (s.global_count.load(std::memory_order_relaxed) != 0 ||
                        s.in_place_count.load(std::memory_order_relaxed) != 0 || seen.next_timer <= seen.now));
  const std::int64_t first_look = first_look_after(s);
  if (wanted && !p->was_wanted) p->look_at_thread_at = p->unmoved_since + first_look;
  p->was_wanted = wanted;
  if (!wanted && age < s.slice_ns) {
    seen.by(p->unmoved_since + s.slice_ns);
    if (!others_idle) seen.by(seen.next_timer);
    return;
  }
  if (seen.now >= p->look_at_thread_at) {
    const thread_look state = look_at_thread(w->tid);
    const bool first = p->seen_awake == 0;
    const bool computes = computes_for_sure(p, state);
    chaos_step();  // it goes to sleep, wakes up or moves on meanwhile
    // Chaos: as if it had been asleep, and awake again now.
    if (state.known && (!state.running || (chaos_chance(8) && chaos_stops()))) {
      seen.stranded = true;
      take_p_away(s, p, p->seen_tick, p->seen_call);
      return;
    }
    if (computes && wanted && age >= s.slice_ns && seen.now >= p->asked_at + k_ask_again_ns) {
      p->asked_at = seen.now;
      seen.stranded = true;
      ask_to_stop(w, k_stop_on_p, p->seen_tick);
    }
    const std::int64_t most = wanted ? k_most_between_looks_ns : k_unwanted_ns;
    p->look_at_thread_at = seen.now + (first || age < first_look ? first_look : (age < most ? age : most));
    const std::int64_t slice_end = p->unmoved_since + s.slice_ns;
    if (seen.now < slice_end && slice_end < p->look_at_thread_at) p->look_at_thread_at = slice_end;
  }
  seen.by(p->look_at_thread_at);
  if (!others_idle) seen.by(seen.next_timer > seen.now ? seen.next_timer : k_forever);
}

void look_at_proc(scheduler& s, processor* p, observation& seen) noexcept {
  worker* w = p->holder.load(std::memory_order_acquire);
  const std::uint32_t tick = p->tick.load(std::memory_order_relaxed);
  const std::uint32_t call = w == nullptr ? 0 : w->in_call.load(std::memory_order_relaxed);
  if (w != p->seen_holder || tick != p->seen_tick || call != p->seen_call) {
    seen.moved = seen.moved || tick != p->seen_tick;
    p->seen_holder = w;
    p->seen_tick = tick;
    p->seen_call = call;
    p->unmoved_since = seen.now;
    if (p->bound_tick.load(std::memory_order_relaxed) == tick) {
      const std::int64_t bound = p->bound_ns.load(std::memory_order_relaxed);
      if (bound < seen.now && bound > seen.now - s.slice_ns) p->unmoved_since = bound;
    }
    p->look_at_thread_at = p->unmoved_since + first_look_after(s);
    p->asked_at = 0;
    p->was_wanted = false;
    p->seen_awake = 0;
    if (w != nullptr) seen.by((call & 1) != 0 ? seen.now + k_call_ns : p->unmoved_since + s.slice_ns);
    return;
  }
  if (w == nullptr) return;
  if (!p->queue.empty() && s.idle_p_count.load(std::memory_order_relaxed) != 0) {
    seen.stranded = true;
    chaos_step();
    if (take_over_queue(s, p, true)) wake_if_needed(s);
  }
  if ((call & 1) != 0) {
    look_at_call(s, p, seen);
  } else {
    look_at_silent_holder(s, p, w, seen);
  }
}

// A thread that is to take up a P is not there yet. Perhaps it waits for what one has that was stopped in place.
void look_at_starts(scheduler& s, observation& seen) noexcept {
  if (s.in_place_count.load(std::memory_order_relaxed) == 0) return;
  s.mu.lock();
  if (s.in_place_first != nullptr) {
    if (processor* p = pop_start_locked(s, seen.now - k_thread_takes_long_ns)) {
      if (p->start_spinning) s.spinning.fetch_sub(1, std::memory_order_seq_cst);
      push_idle_p_locked(s, p);  // to the stopped one
    }
  }
  if (s.starts_first != nullptr) seen.by(s.starts_first->start_asked_ns + k_thread_takes_long_ns);
  s.mu.unlock();
}

observation look_around(scheduler& s, std::int64_t now) noexcept {
  observation seen;
  seen.now = now;
  look_at_network(s);
  seen.next_timer = next_timer(s);
  const int n = s.proc_slots.load(std::memory_order_acquire);
  for (int i = 0; i < n; ++i) look_at_proc(s, s.procs[static_cast<std::size_t>(i)].get(), seen);
  seen.by(look_after_away(s, now));
  look_at_starts(s, seen);
  if (any_queue_has_work(s) || s.global_count.load(std::memory_order_relaxed) != 0 ||
      (s.idle_p_count.load(std::memory_order_relaxed) != 0 && seen.next_timer < now - k_timer_grace_ns)) {
    wake_if_needed(s);
  }
  return seen;
}

void* sysmon_main(void* arg) {
  scheduler& s = *static_cast<scheduler*>(arg);
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  std::int64_t delay = k_shortest_ns;
  std::int64_t next = k_forever;
  int quiet = 0;
  while (!s.sysmon_stop.load(std::memory_order_acquire)) {
    s.mu.lock();
    const bool all_idle =
        s.idle_p_count.load(std::memory_order_relaxed) == s.gomaxprocs.load(std::memory_order_relaxed);
    const bool rest = all_idle && quiet >= k_quiet_rounds && s.starts == 0;
    const bool deep = rest && s.away == nullptr;
    s.sysmon_deep = rest;
    s.mu.unlock();
    if (deep) check_deadlock(s);
    const std::int64_t asleep = now_ns();
    std::int64_t until = deep ? k_forever : asleep + delay;
    // Those who are away are looked after at their own pace, not more often.
    if (rest && !deep) until = next;
    if (next < until) until = next < asleep + k_call_ns ? asleep + k_call_ns : next;
    until = std::min(until, next_report());
    s.sysmon_lazy.store(until - asleep > 2 * k_shortest_ns, std::memory_order_relaxed);
    const bool called = s.sysmon_event.wait(until);
    s.sysmon_lazy.store(false, std::memory_order_relaxed);
    serve_reports(s);
    if (called) {
      quiet = 0;
      delay = k_shortest_ns;
    }
    const std::int64_t now = now_ns();
    s.coarse_ms.store(static_cast<std::uint32_t>((now - s.began_ns) / 1'000'000), std::memory_order_relaxed);
    ask_for_limits(s, now);
    const observation seen = look_around(s, now);
    next = seen.next;
    quiet = seen.moved || !all_idle ? 0 : quiet + 1;
    const std::int64_t longest = s.gomaxprocs.load(std::memory_order_relaxed) == 1 ? k_longest_alone_ns : k_longest_ns;
    delay = seen.stranded ? k_shortest_ns : (delay * 2 < longest ? delay * 2 : longest);
  }
  return nullptr;
}

}  // namespace

void start_sysmon(scheduler& s) { s.sysmon_thread = start_helper(s, sysmon_main); }

void stop_sysmon(scheduler& s) noexcept {
  s.sysmon_stop.store(true, std::memory_order_release);
  s.sysmon_event.signal();
  pthread_join(s.sysmon_thread, nullptr);
}

}  // namespace pirn::rt
