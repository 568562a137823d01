// wait_group: waiting until a number of things are done.
#pragma once

#include <cxxabi.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include "pirn/detail/start.h"

namespace pirn {

class context;

// Waits for a number of things to be done. Neither movable nor copyable.
// Thread-safety: any thread. A wait_group may be destroyed as soon as wait() has returned.
class wait_group {
 public:
  constexpr wait_group() noexcept = default;
  wait_group(const wait_group&) = delete;
  wait_group& operator=(const wait_group&) = delete;

  // Adds n, possibly negative, to the counter; at zero every waiter goes on. Blocks: never.
  // Errors: std::logic_error, the counter unchanged, when it would become negative ("sync: negative WaitGroup counter")
  // or when an add from zero meets a waiter ("sync: WaitGroup misuse: Add called concurrently with Wait").
  void add(int n) {
    const std::uint64_t delta = static_cast<std::uint64_t>(static_cast<std::int64_t>(n)) << 32;
    const std::uint64_t after = state_.fetch_add(delta, std::memory_order_acq_rel) + delta;
    // Unremarkable: a counter in 1..2^31-1, or zero with nobody waiting; and no waiters before a positive first add.
    if (static_cast<std::int64_t>(after) >= (std::int64_t{1} << 32) && static_cast<std::uint32_t>(after) == 0) return;
    if (after != 0) settle(n, after);
  }
  // add(-1).
  void done() { add(-1); }
  // Blocks: parks until the counter is zero.
  void wait() {
    if ((state_.load(std::memory_order_acquire) >> 32) != 0) wait_slow();
  }
  // The same until ctx ends: then its error. An error at once when it has ended already.
  [[nodiscard]] std::error_code wait(const context& ctx);
  // Starts a goroutine that calls f() and counts it. An exception that leaves f is a panic.
  template <class F>
    requires std::is_invocable_v<std::decay_t<F>>
  void go(F&& f) {
    detail::new_goroutine g;
    add(1);
    try {
      detail::closure_ops<counted<std::decay_t<F>>>::put(g.slot(), this, std::forward<F>(f));
    } catch (...) {
      done();
      throw;
    }
    g.start();  // from here on it is the closure that counts itself out
  }

 private:
  // Whoever waits may rely on f and its captures being gone, so they go before it is done.
  template <class F>
  struct counted {
    wait_group* group;
    std::optional<F> f;

    template <class G>
    counted(wait_group* g, G&& fn) : group(g), f(std::in_place, std::forward<G>(fn)) {}
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    // Still with a group: it never ran, or goexit unwinds it.
    ~counted() {
      if (group == nullptr) return;
      f.reset();
      group->done();
    }
    PIRN_DETAIL_CATCHES_FORCED_UNWIND void operator()() {
      try {
        std::invoke(std::move(*f));
      } catch (abi::__forced_unwind&) {
        throw;
      } catch (...) {
        // A panic ends the process; nobody may go on meanwhile because the group seems done.
        detail::panic_with_current_exception();
      }
      f.reset();
      std::exchange(group, nullptr)->done();
    }
  };
  void settle(int n, std::uint64_t after);
  void wait_slow();

  std::atomic<std::uint64_t> state_{0};  // counter in the upper half, waiters in the lower
};

}  // namespace pirn
