// mutex: one holder at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <system_error>

namespace pirn {

class context;

namespace detail {
struct cancel_node;
}

// Mutual exclusion between goroutines (and foreign threads); Lockable, so std::lock_guard and std::scoped_lock work.
// Uncontended it is one compare-and-swap. Under contention a goroutine spins shortly, then parks; one that has waited
// for 1 ms is served before everybody who comes later (Go's starvation mode). Not recursive. Any goroutine may unlock.
// Thread-safety: any thread. Neither movable nor copyable.
class mutex {
 public:
  constexpr mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  // Blocks: parks while another holds it.
  void lock() {
    std::uint32_t free = 0;
    if (!state_.compare_exchange_strong(free, k_locked, std::memory_order_acquire, std::memory_order_relaxed)) {
      lock_slow();
    }
  }
  // The same until ctx ends: then its error, and the mutex is not locked. An error at once when it has ended already.
  [[nodiscard]] std::error_code lock(const context& ctx);
  // Blocks: never.
  bool try_lock() noexcept {
    std::uint32_t seen = state_.load(std::memory_order_relaxed);
    while ((seen & k_locked) == 0) {
      if (state_.compare_exchange_weak(seen, seen | k_locked, std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  // Blocks: never. Unlocking what is not locked is a fatal error ("sync: unlock of unlocked mutex").
  void unlock() {
    std::uint32_t alone = k_locked;
    if (!state_.compare_exchange_strong(alone, 0, std::memory_order_release, std::memory_order_relaxed)) unlock_slow();
  }

 private:
  static constexpr std::uint32_t k_locked = 1;
  static constexpr std::uint32_t k_waiters = 2;   // somebody may stand in the parking lot
  static constexpr std::uint32_t k_starving = 4;  // locked, and the next unlock hands the lock to the first waiter
  void lock_slow();
  bool lock_unless_canceled(detail::cancel_node* by);
  void unlock_slow();

  std::atomic<std::uint32_t> state_{0};
};

}  // namespace pirn
