// barrier: a number of goroutines that wait for each other, again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <system_error>
#include <type_traits>
#include <utility>

#include "pirn/detail/wait_queue.h"

namespace pirn {

class context;

namespace detail {

struct cancel_node;

struct no_completion {
  void operator()() const noexcept {}
};

class barrier_core {
 public:
  explicit barrier_core(std::ptrdiff_t expected);
  // Counts n arrivals; `drops` takes them off the later phases too. True: they were the last, and the caller is to run
  // the completion and then end_phase().
  bool arrive(std::ptrdiff_t n, bool drops, std::uint64_t& phase);
  // The same for one arrival, which waits for the end of the phase unless it is the last.
  bool arrive_and_wait();
  void end_phase() noexcept;
  void wait(std::uint64_t phase) { wait_unless_canceled(phase, nullptr); }
  std::error_code wait(const context& ctx, std::uint64_t phase);

 private:
  bool wait_unless_canceled(std::uint64_t phase, cancel_node* by);

  wait_queue queue_;  // those who wait for the end of the phase
  // Guarded by the queue's lock.
  std::ptrdiff_t expected_;
  std::ptrdiff_t missing_;
  std::uint64_t phase_ = 0;
};

}  // namespace detail

// Lets a fixed number of arrivals wait for each other, phase by phase. The last one to arrive runs the completion,
// which must not throw, before anybody goes on. Neither movable nor copyable. Source: std::barrier. Thread-safety: any
// thread. It may be destroyed when nobody waits any more.
template <class Completion = detail::no_completion>
class barrier {
  static_assert(std::is_nothrow_invocable_v<Completion&>, "a barrier's completion must be noexcept");

 public:
  // One phase's arrival, to be waited for.
  class arrival_token {
   public:
    arrival_token(arrival_token&&) noexcept = default;
    arrival_token& operator=(arrival_token&&) noexcept = default;

   private:
    friend barrier;
    explicit arrival_token(std::uint64_t phase) noexcept : phase_(phase) {}
    std::uint64_t phase_;
  };

  // Errors: std::invalid_argument when `expected` is negative.
  explicit barrier(std::ptrdiff_t expected, Completion completion = Completion())
      : core_(expected), completion_(std::move(completion)) {}
  barrier(const barrier&) = delete;
  barrier& operator=(const barrier&) = delete;
  static constexpr std::ptrdiff_t max() noexcept { return PTRDIFF_MAX; }

  // n arrivals. Blocks: never, but for what the completion does.
  // Errors: std::logic_error, nothing changed, when n is not positive or more than the phase still lacks.
  [[nodiscard]] arrival_token arrive(std::ptrdiff_t n = 1) {
    std::uint64_t phase = 0;
    if (core_.arrive(n, false, phase)) complete();
    return arrival_token(phase);
  }
  // Blocks: parks until the phase of the token has ended.
  void wait(arrival_token&& token) const { core_.wait(token.phase_); }
  // The same until ctx ends: then its error. The arrival still counts, and its token may be waited for again.
  [[nodiscard]] std::error_code wait(const context& ctx, const arrival_token& token) const {
    return core_.wait(ctx, token.phase_);
  }
  // One arrival that waits for the others. Errors: as arrive().
  void arrive_and_wait() {
    if (core_.arrive_and_wait()) complete();
  }
  // One arrival, and one less to be expected from the next phase on. Blocks and errors: as arrive().
  void arrive_and_drop() {
    std::uint64_t phase = 0;
    if (core_.arrive(1, true, phase)) complete();
  }

 private:
  void complete() noexcept {
    completion_();
    core_.end_phase();
  }

  mutable detail::barrier_core core_;
  [[no_unique_address]] Completion completion_;
};

}  // namespace pirn
