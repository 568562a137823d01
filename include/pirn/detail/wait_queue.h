// A queue of waiters inside the object that they wait for. Internal to the headers.
// Layer: sync. What is done with it: sync/wait_queue.h.
//
// Primitives that are held for long or have many waiters carry one; those that are to stay one word use the parking
// lot.
#pragma once

#include <atomic>
#include <cstdint>

namespace pirn::detail {

struct queued_waiter;

// First come, first served. Destroying it with waiters cuts them off: they wait for ever, or until the run ends.
class wait_queue {
 public:
  constexpr wait_queue() noexcept = default;
  wait_queue(const wait_queue&) = delete;
  wait_queue& operator=(const wait_queue&) = delete;
  ~wait_queue() {
    if (!empty()) cut_off();
  }
  // By anyone; tells of a moment during the call.
  bool empty() const noexcept { return first.load(std::memory_order_acquire) == nullptr; }

  std::atomic<std::uint32_t> lock{0};  // an rt::spinlock
  // Written under the lock.
  std::atomic<queued_waiter*> first{nullptr};
  queued_waiter* last = nullptr;

 private:
  void cut_off() noexcept;
};

}  // namespace pirn::detail
