// Threads for workers. Layer: sched. All but the one that calls run() are made by a thread that runs no user code and
// does nothing else, the spawner: what a goroutine does to its thread (signal mask, affinity, namespaces) is never
// inherited; and making a thread allocates, so whoever does it may have to wait for a goroutine that was stopped in
// place with malloc's lock. For the same reason the P that a new thread is to take up stays in a list until the thread
// has begun: sysmon gives it to the stopped one when that takes long.
#include <cxxabi.h>
#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "os/clock.h"
#include "os/thread_slot.h"
#include "sched/entry.h"
#include "sched/reports.h"

namespace pirn::rt {

namespace {

constexpr std::size_t k_thread_stack = 256 * 1024;  // scheduling only: goroutines have stacks of their own

// Not inlined: the compiler may keep errno's address, and must not beyond one thread.
PIRN_NOINLINE int* errno_address() noexcept {
  int* at = &errno;
  asm volatile("" : "+r"(at));
  return at;
}

PIRN_NOINLINE exception_state* exception_globals() noexcept {
  void* at = abi::__cxa_get_globals();
  asm volatile("" : "+r"(at));
  return static_cast<exception_state*>(at);
}

std::atomic<int> thread_limit{10000};

processor* pop_first_start_locked(scheduler& s) noexcept {
  processor* p = s.starts_first;
  if (p == nullptr) return nullptr;
  s.starts_first = p->next_start;
  if (s.starts_first == nullptr) s.starts_last = nullptr;
  --s.starts;
  return p;
}

void* thread_main(void* arg) {
  auto* w = static_cast<worker*>(arg);
  scheduler& s = *w->sched;
  pthread_sigmask(SIG_SETMASK, &s.signals, nullptr);  // the spawner has all blocked
  attach_thread(w);
  // [EN-1] One that is used again ended outside, and somebody who saw it there may still be at the P it had then.
  w->inside.store(1, std::memory_order_relaxed);
  light_barrier();
  if ((w->attention.load(std::memory_order_acquire) & k_attn_hold) != 0) wait_while_held(w);
  s.mu.lock();
  --s.threads_coming;
  processor* p = pop_first_start_locked(s);  // null: it went elsewhere meanwhile
  s.mu.unlock();
  if (p != nullptr) {
    w->spinning = p->start_spinning;
    bind_p(w, p);
  }
  run_worker(w);
  happens_after(&s.end_of_run);  // what goroutines left in thread-local variables is destroyed now
  detach_thread(w);
  s.mu.lock();
  w->next_ended = s.ended_workers;
  s.ended_workers = w;
  s.mu.unlock();
  // The last touch of the scheduler: run() may go on and free it.
  const std::uint32_t left = s.live_threads.fetch_sub(1, std::memory_order_acq_rel) - 1;
  if (left == 0) futex_wake(s.live_threads, 1);
  return nullptr;
}

[[noreturn]] void report_no_thread(scheduler& s, int error) noexcept {
  char text[160];
  const int n =
      std::snprintf(text, sizeof text, "runtime: failed to create new OS thread (have %u already; errno=%d)\n",
                    s.live_threads.load(std::memory_order_relaxed) + 1, error);
  write_stderr({text, static_cast<std::size_t>(n)});
  if (error == EAGAIN) write_stderr("runtime: may need to increase max user processes (ulimit -u)\n");
  fatal("newosproc");
}

[[noreturn]] void report_too_many(int limit) noexcept {
  char text[96];
  const int n = std::snprintf(text, sizeof text, "runtime: program exceeds %d-thread limit\n", limit);
  write_stderr({text, static_cast<std::size_t>(n)});
  fatal("thread exhaustion");
}

}  // namespace

#ifdef PIRN_TSAN
std::uint32_t worker::next_random() noexcept { return step_random(); }
std::int64_t worker::clock_now() noexcept { return clock.now(); }
#endif

namespace {
// One whose thread has ended. Others may still look at it, by a P that it once had: nothing they rely on is reset.
worker* used_worker(scheduler& s) noexcept {
  s.mu.lock();
  worker* w = s.ended_workers;
  if (w != nullptr) s.ended_workers = w->next_ended;
  s.mu.unlock();
  if (w == nullptr) return nullptr;
  w->attention.fetch_and(k_attn_hold | k_attn_fence | k_attn_stop, std::memory_order_relaxed);
  w->wake.try_consume();
  w->locked_g = nullptr;
  w->must_end = false;
  return w;
}
}  // namespace

worker* new_worker(scheduler& s) {
  if (worker* w = used_worker(s)) return w;
  std::unique_ptr<worker> fresh(new worker);  // not zeroed as a whole: ThreadSanitizer would see that
  worker* w = fresh.get();
  w->sched = &s;
  // Only one thread at a time makes workers. Whoever allocates may have to wait, and must not with mu held.
  std::vector<worker*> longer;
  if (s.workers.size() == s.workers.capacity()) {
    longer.reserve(2 * s.workers.size() + 16);
    longer.insert(longer.end(), s.workers.begin(), s.workers.end());
  }
  s.mu.lock();
  if (longer.capacity() != 0) s.workers.swap(longer);
  w->index = static_cast<int>(s.workers.size());
  s.workers.push_back(fresh.release());
  s.mu.unlock();
  if (!have_membarrier) w->attention.store(k_attn_fence, std::memory_order_relaxed);
  w->random = 0x9E3779B97F4A7C15ULL * (static_cast<std::uint64_t>(w->index) + 1) ^ static_cast<std::uint64_t>(now_ns());
  return w;
}

void attach_thread(worker* w) noexcept {
  w->errno_at = errno_address();
  never_raced_for(w->errno_at);
  w->eh = exception_globals();
  w->sched_eh = *w->eh;  // run() may be called from inside a handler
  w->thread = pthread_self();
  w->thread_slot = take_thread_slot();
  attach_reports(w);
#ifdef PIRN_TSAN
  w->sched_san.fiber = __tsan_get_current_fiber();
  w->sched_san.busy = &w->sched_fiber_busy;
#endif
#ifdef PIRN_ASAN
  pthread_attr_t attr;
  if (pthread_getattr_np(w->thread, &attr) == 0) {
    void* low = nullptr;
    pthread_attr_getstack(&attr, &low, &w->sched_san.size);
    w->sched_san.bottom = low;
    pthread_attr_destroy(&attr);
  }
#endif
  happens_before(&w->thread);  // what the C library has done for the thread, to all that will run there
  pirn_current_worker = w;
  compiler_barrier();
}

void detach_thread(worker* w) noexcept {
  detach_reports(w);
  give_thread_slot_back(w->thread_slot);
  pirn_current_worker = nullptr;
  compiler_barrier();
}

int thread_count(scheduler& s) noexcept {
  constexpr int k_caller_sysmon_spawner = 3;
  return static_cast<int>(s.live_threads.load(std::memory_order_relaxed)) + k_caller_sysmon_spawner;
}

int set_thread_limit(int n) noexcept {
  const int before = thread_limit.exchange(n, std::memory_order_relaxed);
  const entry e;
  scheduler* s = the_scheduler.load(std::memory_order_acquire);
  if (s != nullptr && thread_count(*s) > n) report_too_many(n);
  return before;
}

void ask_for_thread_locked(scheduler& s, processor* p, bool spinning) noexcept {
  p->start_spinning = spinning;
  p->start_asked_ns = now_ns();
  p->next_start = nullptr;
  (s.starts_last != nullptr ? s.starts_last->next_start : s.starts_first) = p;
  s.starts_last = p;
  ++s.starts;
}

processor* pop_start_locked(scheduler& s, std::int64_t before) noexcept {
  if (s.starts_first == nullptr || s.starts_first->start_asked_ns > before) return nullptr;
  return pop_first_start_locked(s);
}

namespace {

// No memory for a thread. One that was only to help is done without: its P, which has nothing queued, goes back, and
// sysmon asks again.
void do_without(scheduler& s) noexcept {
  s.mu.lock();
  --s.threads_coming;
  processor* p = pop_first_start_locked(s);
  if (p != nullptr && !p->start_spinning) {
    s.mu.unlock();
    fatal("out of memory (thread)");
  }
  if (p != nullptr) {
    s.spinning.fetch_sub(1, std::memory_order_seq_cst);
    push_idle_p_locked(s, p);
  }
  s.mu.unlock();
  if (s.live_threads.fetch_sub(1, std::memory_order_acq_rel) == 1) futex_wake(s.live_threads, 1);
}

void start_thread(scheduler& s) noexcept {
  const int limit = thread_limit.load(std::memory_order_relaxed);
  if (thread_count(s) > limit) report_too_many(limit);  // it is counted already
  worker* w = nullptr;
  try {
    w = new_worker(s);
  } catch (const std::bad_alloc&) {
    do_without(s);
    return;
  }
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
#ifndef PIRN_SANITIZED
  pthread_attr_setstacksize(&attr, k_thread_stack);
#endif
  pthread_t thread{};
  const int error = pthread_create(&thread, &attr, thread_main, w);
  pthread_attr_destroy(&attr);
  if (error != 0) report_no_thread(s, error);
}

void* spawner_main(void* arg) {
  scheduler& s = *static_cast<scheduler*>(arg);
  while (!s.spawner_stop.load(std::memory_order_acquire)) {
    s.mu.lock();
    // Once the run stops no thread may begin: whoever waits for them to end would not know of it.
    const bool wanted = s.starts > s.threads_coming && !s.stopping.load(std::memory_order_relaxed);
    if (wanted) {
      ++s.threads_coming;
      s.live_threads.fetch_add(1, std::memory_order_relaxed);
    }
    s.mu.unlock();
    if (wanted) {
      start_thread(s);
    } else {
      s.spawner_event.wait();
      if (s.limits_due.exchange(false, std::memory_order_relaxed)) follow_limits(s);
    }
  }
  return nullptr;
}

}  // namespace

pthread_t start_helper(scheduler& s, void* (*fn)(void*)) {
  // Signals for the program are not for these threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  const int error = pthread_create(&thread, nullptr, fn, &s);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) report_no_thread(s, error);
  return thread;
}

void start_spawner(scheduler& s) { s.spawner_thread = start_helper(s, spawner_main); }

void stop_spawner(scheduler& s) noexcept {
  s.spawner_stop.store(true, std::memory_order_release);
  s.spawner_event.signal();
  pthread_join(s.spawner_thread, nullptr);
}

}  // namespace pirn::rt
