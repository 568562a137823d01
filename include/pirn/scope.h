// scope: goroutines that end before the block that started them does.
#pragma once

#include <cxxabi.h>

#include <atomic>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "pirn/detail/start.h"
#include "pirn/sync/wait_group.h"

namespace pirn {

// Structured concurrency: what is started in a scope has ended when the scope ends, so it may use whatever outlives the
// scope. The first exception that leaves one of its goroutines is kept for wait(); later ones are dropped. goexit() in
// one ends that one only. Neither movable nor copyable.
// As of now a scope has no context: an exception does not yet tell the other goroutines to stop.
// Thread-safety: go() from any thread while the scope lasts, its own goroutines included; wait() from one at a time.
class scope {
 public:
  scope() noexcept : exceptions_(std::uncaught_exceptions()) {}
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;
  // Blocks: parks until every goroutine of the scope has ended. An exception that wait() has not taken is then a panic,
  // unless the block is being left by an exception or goexit() already.
  ~scope() {
    children_.wait();
    if (error_ && std::uncaught_exceptions() <= exceptions_ && !detail::leaves_by_force()) report();
  }

  // Starts a goroutine that calls f(args...), all decayed and moved as by pirn::go. Blocks: never. Errors: as pirn::go.
  template <class F, class... Args>
    requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>
  void go(F&& f, Args&&... args) {
    detail::check_callable<std::decay_t<F>>(f);
    detail::new_goroutine g;
    children_.add(1);
    try {
      using call = detail::bound_call_t<F, Args...>;
      detail::closure_ops<child<call>>::put(g.slot(), this, std::forward<F>(f), std::forward<Args>(args)...);
    } catch (...) {
      children_.done();
      throw;
    }
    g.start();  // from here on it is the child that counts itself out
  }

  // Blocks: parks until every goroutine of the scope has ended. Rethrows the first exception that left one, once. The
  // scope can be used again afterwards.
  void wait() {
    children_.wait();
    if (!failed_.load(std::memory_order_relaxed)) return;
    failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  // Whoever waits may rely on the callable and its captures being gone, so they go before it is counted out.
  template <class Call>
  struct child {
    scope* in;
    std::optional<Call> call;

    template <class... A>
    explicit child(scope* s, A&&... a) : in(s), call(std::in_place, std::forward<A>(a)...) {}
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    // Still in a scope: it never ran, or goexit unwinds it.
    ~child() {
      if (in == nullptr) return;
      call.reset();
      in->children_.done();
    }
    PIRN_DETAIL_CATCHES_FORCED_UNWIND void operator()() {
      try {
        (*call)();
      } catch (abi::__forced_unwind&) {
        throw;
      } catch (...) {
        in->keep(std::current_exception());
      }
      call.reset();
      std::exchange(in, nullptr)->children_.done();
    }
  };

  // relaxed: counting out publishes it to whoever waits.
  void keep(std::exception_ptr error) noexcept {
    if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::move(error);
  }
  [[noreturn]] void report() noexcept {
    try {
      std::rethrow_exception(error_);
    } catch (...) {
      detail::panic_with_current_exception();
    }
  }

  wait_group children_;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;  // written by the child that set failed_, read when all have ended
  const int exceptions_;      // under way when the scope began
};

}  // namespace pirn
