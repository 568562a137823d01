// shared_mutex: many readers or one writer.
#pragma once

#include <atomic>
#include <cstdint>
#include <system_error>

#include "pirn/detail/wait_queue.h"
#include "pirn/sync/mutex.h"

namespace pirn {

namespace detail {
struct reader_table;
struct shared_mutex_access;
}  // namespace detail

// Many readers or one writer; SharedLockable, so std::shared_lock and std::unique_lock work. A writer that waits keeps
// new readers out, and the readers that wait when a writer unlocks all go before the next one: neither side starves.
// So a goroutine must not lock it shared twice. Any goroutine may unlock.
//
// Readers that meet get a counter per thread: a few nanoseconds each, and no cache line is written that another reader
// uses. Such a lock costs some 8 KiB more, and the next writer some microseconds; after that readers share one word
// again for a while, as they do from the beginning where they never meet.
// Neither movable nor copyable. Thread-safety: any thread. Source of the idea: BRAVO (Dice, Kogan 2019).
class shared_mutex {
 public:
  constexpr shared_mutex() noexcept = default;
  shared_mutex(const shared_mutex&) = delete;
  shared_mutex& operator=(const shared_mutex&) = delete;
  ~shared_mutex() {
    // A writer that waits has announced itself.
    if (table_.load(std::memory_order_relaxed) != nullptr || state_.load(std::memory_order_relaxed) != 0) retire();
  }

  // Blocks: parks while anybody else holds it.
  void lock() {
    writers_.lock();
    std::uint64_t free = 0;
    if (!state_.compare_exchange_strong(free, k_writer | k_held, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      lock_slow();
    }
  }
  // The same until ctx ends: then its error, and the mutex is not locked. An error at once when it has ended already.
  [[nodiscard]] std::error_code lock(const context& ctx);
  // Blocks: never.
  [[nodiscard]] bool try_lock() {
    if (!writers_.try_lock()) return false;
    std::uint64_t free = 0;
    return state_.compare_exchange_strong(free, k_writer | k_held, std::memory_order_acquire,
                                          std::memory_order_relaxed) ||
           try_lock_slow();
  }
  // Blocks: never. Unlocking what is not locked is a fatal error ("sync: Unlock of unlocked RWMutex").
  void unlock() {
    if ((state_.load(std::memory_order_relaxed) & k_held) == 0) unlocked_too_often();
    // First, because who finds the state free may destroy the object. The next writer waits for the state.
    writers_.unlock();
    std::uint64_t held = k_writer | k_held;
    if (!state_.compare_exchange_strong(held, 0, std::memory_order_release, std::memory_order_relaxed)) unlock_slow();
  }

  // Blocks: parks while a writer holds it or waits for it.
  void lock_shared() {
    if (!count_reader()) lock_shared_slow();
  }
  // The same until ctx ends, as lock().
  [[nodiscard]] std::error_code lock_shared(const context& ctx);
  // Blocks: never.
  [[nodiscard]] bool try_lock_shared() { return count_reader() || try_lock_shared_slow(); }
  // Blocks: never. Unlocking what is not locked is a fatal error ("sync: RUnlock of unlocked RWMutex"), which the next
  // writer reports when readers have counters of their own.
  void unlock_shared() {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    if (static_cast<std::int64_t>(seen) < static_cast<std::int64_t>(k_reader) || (seen & k_flags) != 0 ||
        !state_.compare_exchange_strong(seen, seen - k_reader, std::memory_order_release, std::memory_order_relaxed)) {
      unlock_shared_slow();
    }
  }

 private:
  friend struct detail::shared_mutex_access;
  static constexpr std::uint64_t k_writer = 1;  // a writer holds it, or waits for the readers to leave
  static constexpr std::uint64_t k_held = 2;    // a writer holds it
  static constexpr std::uint64_t k_parked = 4;  // somebody waits for the holder's unlock
  static constexpr std::uint64_t k_biased = 8;  // readers have counters of their own; never beside k_writer
  static constexpr std::uint64_t k_flags = 15;
  static constexpr std::uint64_t k_reader = 16;  // the readers counted here; may be negative while k_biased

  bool count_reader() noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    return (seen & k_flags) == 0 &&
           state_.compare_exchange_strong(seen, seen + k_reader, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void lock_slow();
  bool lock_unless_canceled(detail::cancel_node* by);
  bool try_lock_slow();
  void unlock_slow();
  void lock_shared_slow();
  bool try_lock_shared_slow();
  void unlock_shared_slow();
  [[noreturn]] void unlocked_too_often();
  void retire() noexcept;

  // What readers read, and nobody writes while they have counters of their own.
  std::atomic<std::uint64_t> state_{0};
  std::atomic<detail::reader_table*> table_{nullptr};
  mutex writers_;                            // writers among themselves
  detail::wait_queue queue_;                 // readers
  detail::queued_waiter* writer_ = nullptr;  // waits for the holder's unlock, or the readers'; guarded by queue_.lock
};

}  // namespace pirn
