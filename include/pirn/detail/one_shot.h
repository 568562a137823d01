// Something that happens once and can be waited for. Internal to the headers.
// Layer: sync.
#pragma once

#include <atomic>
#include <cstdint>

namespace pirn::detail {

// Waiters: any number, goroutines or foreign threads. set() once; what came before it is visible after wait().
class one_shot {
 public:
  bool is_set() const noexcept { return state_.load(std::memory_order_acquire) != nullptr; }
  // Parks until set.
  void wait();
  // Wakes all. Never parks. Does not touch *this once a waiter can have seen it set.
  void set() noexcept;

 private:
  // Null, or k_set. Waiters stand in the parking lot under this address.
  std::atomic<const void*> state_{nullptr};
};

}  // namespace pirn::detail
