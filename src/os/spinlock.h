// A lock for a few instructions: channels, timer heaps and parking-lot buckets. Layer: os.
//
// Taken only inside the runtime (sched/entry.h) or by foreign threads, never across user code, an allocation or a wait
// for a P. One locked instruction to take, a plain store to give back.
// Orderings: [SL-1] acquire exchange in lock() pairs with the release store in unlock().
#pragma once

#include <sched.h>

#include <atomic>

#include "os/base.h"

#ifdef PIRN_TSAN
extern "C" void __tsan_release(void* address);
#endif

namespace pirn::rt {

class spinlock {
 public:
  void lock() noexcept {
    if (PIRN_UNLIKELY(word_.exchange(1, std::memory_order_acquire) != 0)) lock_slow();  // [SL-1]
  }
  bool try_lock() noexcept {
    return word_.load(std::memory_order_relaxed) == 0 && word_.exchange(1, std::memory_order_acquire) == 0;
  }
  void unlock() noexcept { word_.store(0, std::memory_order_release); }  // [SL-1]

  // The form a parking goroutine hands to the goroutine that follows it on the thread.
  static void unlock_after_switch(void* self) noexcept { static_cast<spinlock*>(self)->unlock(); }

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
