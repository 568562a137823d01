// once: a function that is called one time, however many ask for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace pirn {

// Calls one function, one time. Neither movable nor copyable. Source: Go's sync.Once.
// Thread-safety: any thread. It may be destroyed when every call() has returned.
class once {
 public:
  constexpr once() noexcept = default;
  once(const once&) = delete;
  once& operator=(const once&) = delete;

  // The first caller runs f(); who comes meanwhile parks until it has ended, who comes later returns at once. What f
  // did is visible to all of them. An exception or a goexit() that leaves f leaves this one call and counts as done, as
  // in Go and unlike std::call_once: nobody calls f again. Calling it from inside f waits for itself.
  template <class F>
    requires std::is_invocable_v<F>
  void call(F&& f) {
    if (done() || !begin()) return;
    struct finisher {
      once& self;
      ~finisher() { self.finish(); }
    } at_end{*this};
    std::invoke(std::forward<F>(f));
  }
  // Whether the function has ended. Blocks: never.
  bool done() const noexcept { return state_.load(std::memory_order_acquire) == k_done; }

 private:
  static constexpr std::uint32_t k_fresh = 0;
  static constexpr std::uint32_t k_running = 1;
  static constexpr std::uint32_t k_waited_for = 2;  // running, and somebody stands in the parking lot
  static constexpr std::uint32_t k_done = 3;
  // True: the caller is to run the function. False: it has ended.
  bool begin() {
    std::uint32_t seen = k_fresh;
    if (state_.compare_exchange_strong(seen, k_running, std::memory_order_acquire, std::memory_order_acquire)) {
      return true;
    }
    if (seen != k_done) wait();
    return false;
  }
  void finish() noexcept {
    if (state_.exchange(k_done, std::memory_order_acq_rel) == k_waited_for) wake();
  }
  void wait();
  void wake() noexcept;

  std::atomic<std::uint32_t> state_{k_fresh};
};

}  // namespace pirn
