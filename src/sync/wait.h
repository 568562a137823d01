// Waiting, for goroutines and foreign threads alike. Layer: sync.
//
// A wait node lies on its waiter's stack and stands in queues that a spinlock guards. Whoever takes the node off its
// queue, under the lock, owns the waiter and must resume it, exactly once.
// Invariant: between suspend()'s enqueueing and resume() the waiter does not run, so its stack and the node are stable.
#pragma once

#include <atomic>
#include <cstdint>

#include "os/spinlock.h"
#include "sched/entry.h"

namespace pirn::rt {

struct waiter {
  goroutine* g = nullptr;  // null: a foreign thread, which sleeps on `woken`
  std::atomic<std::uint32_t> woken{0};

  static constexpr std::uint32_t k_counted = 2;  // `woken` of a thread that sleeps and counts in foreign_waits()

  explicit waiter(goroutine* who) noexcept : g(who) {}

  // A thread's wait that only resume() will end. First, before the waiter can be found; then, with no lock held, ...
  void count_thread() noexcept {
    // relaxed: whoever finds the waiter does so by its queue's lock, or by the release that publishes it.
    woken.store(k_counted, std::memory_order_relaxed);
    foreign_waits();
  }
  void sleep_as_thread() noexcept {
    foreign_leave();
    while (woken.load(std::memory_order_acquire) == k_counted) futex_wait(woken, k_counted);
    foreign_enter();
  }
};

// REQUIRES: inside (or a foreign_entry), `held` locked and the waiter enqueued under it. Gives the lock back once the
// waiter sleeps; returns after resume(), inside.
inline void suspend(waiter& w, const park_kind& kind, void* object, spinlock& held) {
  if (w.g != nullptr) {
    park(kind, object, switch_work::unlock(held));
    return;
  }
  w.count_thread();
  held.unlock();
  w.sleep_as_thread();
}

// REQUIRES: the caller took the node off its queue. The node is gone afterwards.
PIRN_NOINLINE inline void resume_thread(waiter& w) noexcept {
  // relaxed: see count_thread().
  if (w.woken.load(std::memory_order_relaxed) == waiter::k_counted) foreign_wait_ends();
  w.woken.store(1, std::memory_order_release);
  // The thread may have gone on already; waking an address that nobody waits on is harmless.
  futex_wake(w.woken, 1);
}
inline void resume(waiter& w) noexcept {
  if (w.g != nullptr) {
    ready(w.g);
  } else {
    resume_thread(w);
  }
}
// The same from a worker that holds a P.
PIRN_ALWAYS_INLINE void resume_on(worker* on, waiter& w) noexcept {
  if (PIRN_LIKELY(w.g != nullptr)) {
    ready_on(on, w.g);
  } else {
    resume_thread(w);
  }
}

}  // namespace pirn::rt
