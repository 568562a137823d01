// Sleeping and waking of threads: the raw futex, a one-shot event, and a lock for short slow-path sections.
// Layer: os. Source: futex(2).
#pragma once

#include <atomic>
#include <cstdint>

#include "os/chaos.h"

namespace pirn::rt {

inline constexpr std::int64_t k_forever = INT64_MAX;

// Sleeps while *word == expected, until woken or until the monotonic instant deadline_ns. May return early.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t deadline_ns = k_forever) noexcept;
void futex_wake(std::atomic<std::uint32_t>& word, int count) noexcept;

// A thread sleeps until another one signals; a signal that comes first is kept. One waiter.
//
// It may also sleep elsewhere than on the futex, in a call that something else ends as well. It says so first, and who
// signals then learns that the call is his to interrupt. All on one word, so that no signal falls between: either
// begin_elsewhere() finds it, or signal() finds that the sleep has begun.
class thread_event {
 public:
  // Consumes the signal: true when there was one, false when deadline_ns passed first.
  bool wait(std::int64_t deadline_ns = k_forever) noexcept;
  // Wakes the waiter or lets its next wait() return at once. [EV-1] release: publishes what was written before it.
  // True when the waiter sleeps elsewhere: the caller must interrupt that sleep.
  bool signal() noexcept;
  bool try_consume() noexcept;
  // False when a signal is there already; it is kept.
  bool begin_elsewhere() noexcept;
  // Consumes the signal that has come meanwhile, if any.
  bool end_elsewhere() noexcept;

 private:
  std::atomic<std::uint32_t> word_{0};  // 0 nothing, 1 signalled, 2 a thread sleeps, 3 it sleeps elsewhere
};

// Mutual exclusion between threads for slow paths of the runtime; the holder may be descheduled, waiters sleep.
// Never held across a switch of goroutines.
class thread_mutex {
 public:
  void lock() noexcept {
    std::uint32_t free = 0;
    if (!word_.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed)) lock_slow();
  }
  bool try_lock() noexcept {
    std::uint32_t free = 0;
    return word_.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void unlock() noexcept {
    chaos_step();
    if (word_.exchange(0, std::memory_order_release) == 2) futex_wake(word_, 1);
  }

 private:
  void lock_slow() noexcept;
  std::atomic<std::uint32_t> word_{0};  // 0 free, 1 held, 2 held and somebody may sleep
};

}  // namespace pirn::rt
