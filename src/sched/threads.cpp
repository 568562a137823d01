// Threads for workers. Layer: sched. All but the one that calls run() are created by sysmon's thread, which runs no
// user code, so what a goroutine does to its thread (signal mask, affinity, namespaces) is never inherited.
#include <cxxabi.h>
#include <pthread.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "os/clock.h"
#include "os/thread_slot.h"
#include "sched/entry.h"

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

void* thread_main(void* arg) {
  auto* w = static_cast<worker*>(arg);
  scheduler& s = *w->sched;
  attach_thread(w);
  processor* p = w->handed_p;
  w->handed_p = nullptr;
  bind_p(w, p);
  worker_loop(w);
  detach_thread();
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

[[noreturn]] void report_too_many(scheduler& s) noexcept {
  char text[96];
  const int n = std::snprintf(text, sizeof text, "runtime: program exceeds %d-thread limit\n", s.max_threads);
  write_stderr({text, static_cast<std::size_t>(n)});
  fatal("thread exhaustion");
}

}  // namespace

#ifdef PIRN_TSAN
std::uint32_t worker::next_random() noexcept { return step_random(); }
std::int64_t worker::clock_now() noexcept { return clock.now(); }
#endif

worker* new_worker(scheduler& s) {
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
  w->eh = exception_globals();
  w->sched_eh = *w->eh;  // run() may be called from inside a handler
  w->thread = pthread_self();
  w->thread_slot = take_thread_slot();
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
  pirn_current_worker = w;
  compiler_barrier();
}

void detach_thread() noexcept {
  give_thread_slot_back(this_worker()->thread_slot);
  pirn_current_worker = nullptr;
  compiler_barrier();
}

namespace {
// No memory for a thread that was only to help: its P, which has nothing queued, goes back. Sysmon asks again.
void do_without(scheduler& s, processor* p) noexcept {
  s.mu.lock();
  push_idle_p_locked(s, p);
  s.spinning.fetch_sub(1, std::memory_order_seq_cst);
  s.mu.unlock();
  if (s.live_threads.fetch_sub(1, std::memory_order_acq_rel) == 1) futex_wake(s.live_threads, 1);
}
}  // namespace

void start_thread(scheduler& s, processor* p, bool spinning) noexcept {
  const std::uint32_t threads = s.live_threads.load(std::memory_order_relaxed);
  if (static_cast<int>(threads) + 1 > s.max_threads) report_too_many(s);
  worker* w = nullptr;
  try {
    w = new_worker(s);
  } catch (const std::bad_alloc&) {
    if (!spinning) fatal("out of memory (thread)");
    do_without(s, p);
    return;
  }
  w->handed_p = p;
  w->spinning = spinning;
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

}  // namespace pirn::rt
