// semaphore: so many units, taken and given back in amounts of any size.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include "pirn/detail/wait_queue.h"

namespace pirn {

class context;

namespace detail {
struct cancel_node;
struct semaphore_access;
}  // namespace detail

// Weighted and fair: who waits is served first come, first served, and nobody passes a large request that waits.
// Neither movable nor copyable. Uncontended it is one compare-and-swap. Source: golang.org/x/sync/semaphore.
// Thread-safety: any thread; any of them may release. It may be destroyed when nobody waits and nobody will call.
class semaphore {
 public:
  // All `size` units are free. Errors: std::invalid_argument when size is negative or more than max().
  explicit semaphore(std::ptrdiff_t size);
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;
  static constexpr std::ptrdiff_t max() noexcept { return PTRDIFF_MAX / 2; }

  // Takes n units. Blocks: parks until they are free and all who came before are served. More than there will ever be
  // waits for ever and, as in Go, lets those behind it pass.
  // Errors: std::invalid_argument when n is negative.
  void acquire(std::ptrdiff_t n = 1) {
    if (!try_acquire(n)) acquire_slow(n);
  }
  // The same until ctx ends: then its error, and nothing is taken; those behind go on. An error at once when it has
  // ended already, also when the units are free.
  [[nodiscard]] std::error_code acquire(const context& ctx, std::ptrdiff_t n = 1);
  // Takes n units if they are free and nobody waits. Blocks: never.
  // Errors: std::invalid_argument when n is negative.
  [[nodiscard]] bool try_acquire(std::ptrdiff_t n = 1) {
    if (n < 0) throw_negative();
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    while ((seen & k_waiters) == 0 && static_cast<std::ptrdiff_t>(seen >> 1) >= n) {
      if (state_.compare_exchange_weak(seen, seen - units(n), std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  // Gives n units back and serves those who wait, as far as it goes. Blocks: never.
  // Errors: std::logic_error, nothing changed, when fewer are taken ("semaphore: released more than held");
  // std::invalid_argument when n is negative.
  void release(std::ptrdiff_t n = 1) {
    if (n < 0) throw_negative();
    if (!release_to_nobody(n)) release_slow(n);
  }

 private:
  static constexpr std::uint64_t k_waiters = 1;  // somebody queues: only who has the queue's lock changes the state
  static constexpr std::uint64_t units(std::ptrdiff_t n) noexcept { return static_cast<std::uint64_t>(n) << 1; }
  [[noreturn]] static void throw_negative();
  [[noreturn]] static void throw_over_release();
  // False while somebody queues.
  bool release_to_nobody(std::ptrdiff_t n) {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    while ((seen & k_waiters) == 0) {
      if (n > size_ - static_cast<std::ptrdiff_t>(seen >> 1)) throw_over_release();
      if (state_.compare_exchange_weak(seen, seen + units(n), std::memory_order_release, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  void acquire_slow(std::ptrdiff_t n);
  bool acquire_unless_canceled(std::ptrdiff_t n, detail::cancel_node* by);
  void release_slow(std::ptrdiff_t n);
  friend struct detail::semaphore_access;

  std::atomic<std::uint64_t> state_;  // free units << 1 | k_waiters
  const std::ptrdiff_t size_;         // Constant after construction.
  detail::wait_queue queue_;
};

}  // namespace pirn
