// latch: a counter that goes down once, and those who wait for zero.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace pirn {

class context;

// Counts down to zero, once. Neither movable nor copyable. Source: std::latch.
// Thread-safety: any thread. It may be destroyed as soon as wait() has returned and nobody else is in it; count_down()
// touches it no more once a waiter may go on.
class latch {
 public:
  // Errors: std::invalid_argument when `expected` is negative or more than max().
  explicit latch(std::ptrdiff_t expected);
  latch(const latch&) = delete;
  latch& operator=(const latch&) = delete;
  static constexpr std::ptrdiff_t max() noexcept { return INT32_MAX; }

  // Takes n off the counter; at zero every waiter goes on. Blocks: never.
  // Errors: std::logic_error, the counter unchanged, when n is negative or more than is left.
  void count_down(std::ptrdiff_t n = 1);
  // Whether the counter is zero. Never wrong, unlike std::latch's, which may say no without a reason. Blocks: never.
  bool try_wait() const noexcept { return (state_.load(std::memory_order_acquire) >> 32) == 0; }
  // Blocks: parks until the counter is zero.
  void wait() const {
    if (!try_wait()) wait_slow();
  }
  // The same until ctx ends: then its error. An error at once when it has ended already.
  [[nodiscard]] std::error_code wait(const context& ctx) const;
  // count_down(n), then wait().
  void arrive_and_wait(std::ptrdiff_t n = 1) {
    count_down(n);
    wait();
  }

 private:
  void wait_slow() const;

  mutable std::atomic<std::uint64_t> state_;  // counter in the upper half, waiters in the lower
};

}  // namespace pirn
