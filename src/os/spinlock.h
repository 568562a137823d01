// A lock for a few instructions: channels, timer heaps and parking-lot buckets. Layer: os.
//
// Taken only inside the runtime (sched/entry.h) or by foreign threads, never across user code, an allocation or a wait
// for a P. One locked instruction to take, a plain store to give back.
//
// While there is one P and no foreign thread, at most one thread is inside, and the locked instruction is left out
// (`one_inside`). The switch back is made while that thread is seen outside: sched/exclusive.cpp.
// Orderings: [SL-1] acquire exchange in lock() pairs with the release store in unlock(). With one_inside the thread
// that holds the P is alone, and the P passes from thread to thread by release and acquire.
#pragma once

#include <sched.h>

#include <atomic>

#include "os/chaos.h"

namespace pirn::rt {

// Written by sched/exclusive.cpp only.
extern std::atomic<bool> one_inside;

class spinlock {
 public:
  PIRN_ALWAYS_INLINE void lock() noexcept {
#ifndef PIRN_TSAN  // it could not see what orders two goroutines that lock in turn
    if (one_inside.load(std::memory_order_relaxed) && PIRN_LIKELY(word_.load(std::memory_order_relaxed) == 0)) {
      word_.store(1, std::memory_order_relaxed);
      compiler_barrier();
      return;
    }
#endif
    if (PIRN_UNLIKELY(word_.exchange(1, std::memory_order_acquire) != 0)) lock_slow();  // [SL-1]
  }
  bool try_lock() noexcept {
    return word_.load(std::memory_order_relaxed) == 0 && word_.exchange(1, std::memory_order_acquire) == 0;
  }
  void unlock() noexcept {
    chaos_step();
    word_.store(0, std::memory_order_release);  // [SL-1]
  }

 private:
  // Who waits looks rarer and rarer: each look takes the cache line from the holder, which would otherwise lock again
  // several times at a tenth of the price. The holder may also have lost its core: then the waiter lets others run.
  PIRN_COLD void lock_slow() noexcept {
    constexpr unsigned k_most_pauses = 128;
    unsigned pauses = 8;
    for (int rounds = 0;; ++rounds) {
      for (unsigned i = 0; i < pauses; ++i) cpu_pause();
      if (try_lock()) return;
      if (pauses < k_most_pauses) pauses *= 2;
      if (rounds > 20) sched_yield();
    }
  }

  std::atomic<std::uint32_t> word_{0};
};

// The same for what threads without a P lock too: the locked instruction is never left out.
class shared_spinlock {
 public:
  void lock() noexcept {
    while (word_.exchange(1, std::memory_order_acquire) != 0) {  // [SL-1]
      for (int pauses = 0; word_.load(std::memory_order_relaxed) != 0; ++pauses) {
        if (pauses < 100) {
          cpu_pause();
        } else {
          sched_yield();
        }
      }
    }
  }
  void unlock() noexcept {
    chaos_step();
    word_.store(0, std::memory_order_release);  // [SL-1]
  }

 private:
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace pirn::rt
