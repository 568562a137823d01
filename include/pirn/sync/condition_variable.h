// condition_variable: waiting until somebody says that what a mutex guards has changed.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>  // std::cv_status
#include <cstdint>
#include <mutex>
#include <system_error>

#include "pirn/clock.h"
#include "pirn/sync/mutex.h"

namespace pirn {

class context;

// As std::condition_variable, with std::unique_lock<pirn::mutex>. Waiters are woken first come, first served, and only
// by a notification or the deadline: there are no spurious wake-ups as of now. Neither movable nor copyable.
// Thread-safety: any thread. It may be destroyed once every waiter has been notified.
// Errors: std::system_error (operation_not_permitted) from every form of waiting when `lock` does not own its mutex.
// Cost: a notification that nobody waits for is one load.
class condition_variable {
 public:
  constexpr condition_variable() noexcept = default;
  condition_variable(const condition_variable&) = delete;
  condition_variable& operator=(const condition_variable&) = delete;

  // Wakes the one that has waited longest. Blocks: never. Who changed what the waiters wait for while it held the mutex
  // may notify with or without it.
  void notify_one() noexcept {
    if (waiters_.load(std::memory_order_acquire) != 0) wake_one();
  }
  // Wakes all that wait now. Blocks: never.
  void notify_all() noexcept {
    if (waiters_.load(std::memory_order_acquire) != 0) wake_all();
  }

  // Gives the mutex back and parks, in one step, until notified; then locks it again.
  void wait(std::unique_lock<mutex>& lock);
  template <class Predicate>
  void wait(std::unique_lock<mutex>& lock, Predicate holds) {
    while (!holds()) wait(lock);
  }

  // The same until ctx ends: then its error. An error at once, and the mutex was not given back meanwhile, when it has
  // ended already. The mutex is locked again in any case. With a predicate: no error exactly when it holds.
  [[nodiscard]] std::error_code wait(const context& ctx, std::unique_lock<mutex>& lock);
  template <class Predicate>
  [[nodiscard]] std::error_code wait(const context& ctx, std::unique_lock<mutex>& lock, Predicate holds) {
    while (!holds()) {
      if (const std::error_code ended = wait(ctx, lock)) return holds() ? std::error_code() : ended;
    }
    return {};
  }

  // The same until d has passed, or until the clock has reached tp; `timeout` when that came first.
  template <class Rep, class Period>
  std::cv_status wait_for(std::unique_lock<mutex>& lock, const std::chrono::duration<Rep, Period>& d) {
    return wait_till(lock, detail::deadline_after(detail::saturated(d)));
  }
  template <class Clock, class Duration>
  std::cv_status wait_until(std::unique_lock<mutex>& lock, const std::chrono::time_point<Clock, Duration>& tp) {
    return wait_till(lock, detail::on_own_clock(tp));
  }
  // With a predicate: what it says in the end.
  template <class Rep, class Period, class Predicate>
  bool wait_for(std::unique_lock<mutex>& lock, const std::chrono::duration<Rep, Period>& d, Predicate holds) {
    return wait_until(lock, detail::deadline_after(detail::saturated(d)), holds);
  }
  template <class Clock, class Duration, class Predicate>
  bool wait_until(std::unique_lock<mutex>& lock, const std::chrono::time_point<Clock, Duration>& tp, Predicate holds) {
    const time_point deadline = detail::on_own_clock(tp);
    while (!holds()) {
      if (wait_till(lock, deadline) == std::cv_status::timeout) return holds();
    }
    return true;
  }

 private:
  std::cv_status wait_till(std::unique_lock<mutex>& lock, time_point deadline);
  void wake_one() noexcept;
  void wake_all() noexcept;

  // How many stand in the parking lot; more when a run ended with them. Changed under the bucket's lock.
  std::atomic<std::uint32_t> waiters_{0};
};

}  // namespace pirn
