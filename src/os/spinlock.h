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

#include "os/base.h"

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
  void unlock() noexcept { word_.store(0, std::memory_order_release); }  // [SL-1]

 private:
  // The holder may have lost its core: after a short spin the waiter lets others run.
  PIRN_COLD void lock_slow() noexcept {
    for (int round = 0;; ++round) {
      if (try_lock()) return;
      if (round < 64) {
        cpu_pause();
      } else {
        sched_yield();
      }
    }
  }

  std::atomic<std::uint32_t> word_{0};
};

}  // namespace pirn::rt
