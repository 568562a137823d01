// Goroutines that compute without end, stopped where they are. Layer: sched. Essay: docs/internals/scheduler.md
// "Stopped in place". Model: docs/internals/models/in_place.pml.
//
// Sysmon signals the thread. The handler, on that very thread, finds it
//   inside:  it leaves k_attn_yield, and the thread stops when it leaves (leave_slow);
//   outside: the thread holds nothing of the runtime's, so the handler becomes inside itself and stops here.
// To stop is to queue the thread (not the goroutine, which stays on it), to hand the P on and to sleep until somebody
// grants a P: whoever would else have made one idle, or find_work when ready goroutines have had their share.
//
//   [IP-1] handler: inside = 1; light barrier; look at the hold; hold set: back out, nothing was touched. As EN-1: who
//          acts as the owner of the P by a hold, and the handler, cannot both.
//   [IP-2] queueing the thread and taking an idle P, and making a P idle and taking a thread off the queue, are both
//          done under mu: there is never a thread queued beside an idle P.
//   [IP-3] grant: under mu handed_p is written, then signalled; the thread takes it under mu when the run is over.
//
// Everything that the handler calls is async-signal-safe: atomics, futexes, membarrier, and mu, which no thread holds
// while it is outside, or it is `unstoppable` meanwhile (end_exclusive, world_stop).
#include "sched/in_place.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "os/clock.h"
#include "os/debug_setting.h"
#include "os/membarrier.h"
#include "sched/entry.h"

namespace pirn::rt {

namespace {

std::atomic<int> stop_signal{0};
std::atomic<bool> chaos_may_stop{false};

// What others had for the signal, the latest last. Handlers read it at any time, so a change goes to another place.
constexpr unsigned k_places = 16;
struct sigaction earlier[k_places];
std::atomic<unsigned> earlier_at{0};
std::atomic<unsigned> earlier_in_run{0};  // those up to here are of runs before
// A handler that was set over ours takes ours for the one before it, and calls it: then it is the turn of the one that
// came before that.
[[gnu::tls_model("initial-exec")]] thread_local unsigned chained = 0;

void pass_on(const struct sigaction& before, int signal, siginfo_t* info, void* context) noexcept {
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    if (before.sa_sigaction != nullptr) before.sa_sigaction(signal, info, context);
    return;
  }
  if (before.sa_handler == SIG_IGN) return;
  if (before.sa_handler != SIG_DFL) {
    before.sa_handler(signal);
    return;
  }
  if (signal == SIGURG) return;  // ignored by default
  // Not ours, and nobody wants it: what would have happened without us.
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  sigaction(signal, &by_default, nullptr);
  raise(signal);
}

void chain(int signal, siginfo_t* info, void* context) noexcept {
  const unsigned last = earlier_at.load(std::memory_order_acquire);
  const unsigned here = last - earlier_in_run.load(std::memory_order_relaxed);
  if (chained >= (here < k_places ? here : k_places)) return;
  const struct sigaction& before = earlier[(last - chained) % k_places];
  ++chained;
  pass_on(before, signal, info, context);
  --chained;
}

// REQUIRES: on w's own thread.
void answer(worker* w, std::uint32_t how) noexcept {
  const on_borrowed_stack quiet(w);  // the alternate one: that of each goroutine on this thread in turn
  if (w->inside.load(std::memory_order_relaxed) != 0) {
    if (how == k_stop_on_p) w->attention.fetch_or(k_attn_yield, std::memory_order_relaxed);
    return;
  }
  if (w->unstoppable) return;
  w->inside.store(1, std::memory_order_relaxed);  // [IP-1]
  light_barrier();
  const bool held = (w->attention.load(std::memory_order_acquire) & k_attn_hold) != 0;
  // A hold passes, and sysmon asks again. The P may have been taken, or come back, since it asked.
  const bool meant = how == k_stop_away ? w->p == nullptr : w->p != nullptr && still_its_slice(w);
  if (!held && meant) stop_in_place(w);
  chaos_step();
  w->inside.store(0, std::memory_order_release);  // [EN-3]
}

void on_stop_signal(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  // Known by its mark, not by what is asked: one that comes late may find that already answered.
  if (info->si_code == SI_QUEUE && info->si_value.sival_ptr == &stop_signal) {
    worker* w = this_worker();
    const std::uint32_t how = w == nullptr ? 0 : w->stop_asked.exchange(0, std::memory_order_relaxed);
    if (how != 0) answer(w, how);
  } else {
    chain(signal, info, context);
  }
  errno = saved;
}

struct sigaction stop_action() noexcept {
  struct sigaction own {};
  own.sa_sigaction = on_stop_signal;
  own.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigemptyset(&own.sa_mask);
  return own;
}

// The program may set a handler of its own at any time: then it comes after ours.
void be_the_handler(int signal) noexcept {
  struct sigaction now {};
  if (sigaction(signal, nullptr, &now) != 0) return;
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_stop_signal) return;
  const unsigned next = earlier_at.load(std::memory_order_relaxed) + 1;
  earlier[next % k_places] = now;
  earlier_at.store(next, std::memory_order_release);
  const struct sigaction own = stop_action();
  sigaction(signal, &own, nullptr);
}

void push_in_place_locked(scheduler& s, worker* w) noexcept {
  w->next_in_place = nullptr;
  if (s.in_place_last != nullptr) {
    s.in_place_last->next_in_place = w;
  } else {
    s.in_place_first = w;
  }
  s.in_place_last = w;
  s.in_place_count.store(s.in_place_count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void leave_queue_locked(scheduler& s, worker* w) noexcept {
  worker* before = nullptr;
  worker* at = s.in_place_first;
  while (at != w) {
    before = at;
    at = at->next_in_place;
  }
  (before != nullptr ? before->next_in_place : s.in_place_first) = w->next_in_place;
  if (s.in_place_last == w) s.in_place_last = before;
  s.in_place_count.store(s.in_place_count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

// Sleeps until granted a P; null when the run is over first.
processor* wait_for_grant(worker* w) noexcept {
  scheduler& s = *w->sched;
  for (;;) {
    w->wake.wait();
    chaos_step();
    s.mu.lock();
    processor* p = w->handed_p;  // [IP-3]
    w->handed_p = nullptr;
    const bool over = p == nullptr && s.stopping.load(std::memory_order_relaxed);
    if (over) leave_queue_locked(s, w);
    s.mu.unlock();
    if (p != nullptr || over) return p;
  }
}

void take_up(worker* w, processor* p) noexcept {
  w->attention.fetch_and(~k_attn_no_p, std::memory_order_relaxed);
  bind_p(w, p);
  p->bound_tick = p->tick.load(std::memory_order_relaxed);
  p->bound_ns.store(now_ns(), std::memory_order_relaxed);
}

}  // namespace

bool still_its_slice(const worker* w) noexcept {
  return w->p->tick.load(std::memory_order_relaxed) == w->stop_tick.load(std::memory_order_relaxed);
}

int chosen_stop_signal(int configured, const sigset_t& blocked) noexcept {
  if (debug_setting("asyncpreemptoff", 0) == 1) return 0;
  const long n = debug_setting("preemptsignal", configured);
  const int signal = n == 0 ? SIGURG : n > 0 && n < NSIG ? static_cast<int>(n) : 0;
  return signal == 0 || sigismember(&blocked, signal) != 0 ? 0 : signal;
}

void install_stop_signal(int signal) noexcept {
  stop_signal.store(0, std::memory_order_relaxed);
  if (signal == 0) return;
  const unsigned before = earlier_at.load(std::memory_order_relaxed);
  be_the_handler(signal);
  // Unless a run that left threads behind has left the handler to them, too.
  if (earlier_at.load(std::memory_order_relaxed) != before) earlier_in_run.store(before, std::memory_order_relaxed);
  chaos_may_stop.store(debug_setting("chaosstops", 0) == 1, std::memory_order_relaxed);
  stop_signal.store(signal, std::memory_order_relaxed);
}

void remove_stop_signal() noexcept {
  const int signal = stop_signal.exchange(0, std::memory_order_relaxed);
  struct sigaction now {};
  if (signal == 0 || sigaction(signal, nullptr, &now) != 0) return;
  if ((now.sa_flags & SA_SIGINFO) == 0 || now.sa_sigaction != on_stop_signal) return;
  sigaction(signal, &earlier[earlier_at.load(std::memory_order_relaxed) % k_places], nullptr);
}

bool chaos_stops() noexcept {
  return chaos_may_stop.load(std::memory_order_relaxed) && stop_signal.load(std::memory_order_relaxed) != 0;
}

bool ask_to_stop(worker* w, std::uint32_t how, std::uint32_t tick) noexcept {
  const int signal = stop_signal.load(std::memory_order_relaxed);
  if (signal == 0) return false;
  be_the_handler(signal);
  w->stop_tick.store(tick, std::memory_order_relaxed);
  chaos_step();
  w->stop_asked.store(how, std::memory_order_release);
  siginfo_t mark{};
  mark.si_code = SI_QUEUE;
  mark.si_pid = getpid();
  mark.si_uid = getuid();
  mark.si_value.sival_ptr = &stop_signal;
  chaos_step();
  return syscall(SYS_rt_tgsigqueueinfo, mark.si_pid, w->tid, signal, &mark) == 0;
}

void stop_in_place(worker* w) noexcept {
  scheduler& s = *w->sched;
  processor* p = w->p;
  s.mu.lock();
  if (s.stopping.load(std::memory_order_relaxed)) {
    s.mu.unlock();
    return;
  }
  ++s.stops_in_place;
  if (p == nullptr) {
    no_longer_away_locked(s, w);
  } else {
    w->p = nullptr;
    p->holder.store(nullptr, std::memory_order_relaxed);
    s.last_turn_ns.store(now_ns(), std::memory_order_relaxed);
  }
  // Also by who gives a P up: that one may be retired, and then nobody would be granted it.
  processor* idle = pop_idle_p_locked(s);  // [IP-2]
  if (idle == nullptr) push_in_place_locked(s, w);
  s.mu.unlock();
  chaos_step();  // whoever makes a P idle grants it to this thread, which does not sleep yet
  if (idle != nullptr) {
    if (p != nullptr) hand_on(s, p);
    take_up(w, idle);
    return;
  }
  w->unstoppable = true;
  if (p != nullptr) hand_on(s, p);
  chaos_step();
  w->inside.store(0, std::memory_order_release);
  processor* granted = wait_for_grant(w);
  w->inside.store(1, std::memory_order_relaxed);
  light_barrier();
  if ((w->attention.load(std::memory_order_acquire) & k_attn_hold) != 0) wait_while_held(w);
  w->unstoppable = false;
  if (granted != nullptr) {
    take_up(w, granted);
  } else {
    // The run is over. It must go on nevertheless: what it holds may be malloc's lock. It stops at its next entry.
    w->attention.fetch_or(k_attn_no_p, std::memory_order_relaxed);
  }
}

worker* pop_in_place_locked(scheduler& s) noexcept {
  worker* w = s.in_place_first;
  if (w != nullptr) leave_queue_locked(s, w);
  return w;
}

void grant_locked(scheduler& s, worker* w, processor* p) noexcept {
  p->owned = true;
  w->handed_p = p;
  s.last_turn_ns.store(now_ns(), std::memory_order_relaxed);
  w->wake.signal();
}

bool grant_is_due(scheduler& s) noexcept {
  return s.in_place_count.load(std::memory_order_relaxed) != 0 &&
         now_ns() - s.last_turn_ns.load(std::memory_order_relaxed) >= s.slice_ns;
}

void grant_own_p(worker* w) noexcept {
  scheduler& s = *w->sched;
  if (w->spinning) stop_spinning(w);
  s.mu.lock();
  if (worker* waiting = pop_in_place_locked(s)) {
    processor* p = w->p;
    w->p = nullptr;
    p->holder.store(nullptr, std::memory_order_relaxed);
    chaos_step();
    grant_locked(s, waiting, p);
  }
  s.mu.unlock();
}

}  // namespace pirn::rt
