// errgroup: goroutines for the parts of one task, of which the first failure ends the others.
// Layer: sync.
#pragma once

#include <cxxabi.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>

#include "pirn/context.h"
#include "pirn/detail/start.h"
#include "pirn/sync/semaphore.h"
#include "pirn/sync/wait_group.h"

namespace pirn {

// Starts goroutines, waits for all of them and gives the first failure: an exception, or an error code that a function
// returns, which becomes a std::system_error. Later ones are dropped, and so is one that nobody waits for; goexit() in
// a function ends that one only and is no failure. Neither movable nor copyable. Source: golang.org/x/sync/errgroup.
// Thread-safety: go() and try_go() from any thread, its own goroutines included, while somebody keeps it from being
// destroyed; the rest from one at a time.
class errgroup {
 public:
  // Without a context of its own: a failure does not tell the others.
  errgroup() noexcept = default;
  // With a context below `parent` that is cancelled by the first failure, with that as its cause, or when wait() is
  // over. Errors: as with_cancel().
  explicit errgroup(const pirn::context& parent) { below_.emplace(with_cancel_cause(parent)); }
  errgroup(const errgroup&) = delete;
  errgroup& operator=(const errgroup&) = delete;
  // Cancels the context. Blocks: parks until all functions have ended.
  ~errgroup() {
    if (below_) below_->cancel();
    children_.wait();
  }

  // The group's own context; background() if it has none.
  pirn::context context() const noexcept { return below_ ? below_->ctx : background(); }

  // At most n functions at once from now on: go() waits for a place. 0: none is admitted; negative: as many as come.
  // Errors: std::logic_error while functions are under way.
  void set_limit(std::ptrdiff_t n) {
    if (active_.load(std::memory_order_acquire) != 0) {
      throw std::logic_error("errgroup: modify limit while goroutines in the group are still active");
    }
    places_.reset();
    if (n >= 0) places_.emplace(n);
  }

  // Starts a goroutine that calls f(), which returns nothing or a std::error_code.
  // Blocks: parks while as many as the limit run. Errors: as pirn::go.
  template <class F>
    requires std::is_invocable_v<std::decay_t<F>>
  void go(F&& f) {
    if (places_) places_->acquire();
    start(std::forward<F>(f));
  }
  // The same if that needs no waiting; else false. Blocks: never.
  template <class F>
    requires std::is_invocable_v<std::decay_t<F>>
  [[nodiscard]] bool try_go(F&& f) {
    if (places_ && !places_->try_acquire()) return false;
    start(std::forward<F>(f));
    return true;
  }

  // Blocks: parks until all functions have ended; then cancels the context. Throws the first failure, each time it is
  // asked.
  void wait() {
    if (const std::exception_ptr first = end()) std::rethrow_exception(first);
  }
  // The same, but a failure that carries an error code is put into `error`; none clears it.
  void wait(std::error_code& error) {
    error.clear();
    const std::exception_ptr first = end();
    if (first == nullptr) return;
    try {
      std::rethrow_exception(first);
    } catch (const std::system_error& e) {
      error = e.code();
    }
  }

 private:
  // Whoever waits may rely on the function and its captures being gone, so they go before it is counted out.
  template <class F>
  struct child {
    errgroup* in;
    std::optional<F> f;

    template <class G>
    child(errgroup* group, G&& fn) : in(group), f(std::in_place, std::forward<G>(fn)) {}
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    // Still in a group: it never ran, or goexit unwinds it.
    ~child() {
      if (in == nullptr) return;
      f.reset();
      in->count_out();
    }
    PIRN_DETAIL_CATCHES_FORCED_UNWIND void operator()() {
      try {
        if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
          std::invoke(std::move(*f));
        } else {
          const std::error_code e = std::invoke(std::move(*f));
          if (e) in->keep(std::make_exception_ptr(std::system_error(e)));
        }
      } catch (abi::__forced_unwind&) {
        throw;
      } catch (...) {
        in->keep(std::current_exception());
      }
      f.reset();
      std::exchange(in, nullptr)->count_out();
    }
  };

  struct counted_in {
    errgroup* in;
    ~counted_in() {
      if (in != nullptr) in->count_out();
    }
  };

  // REQUIRES: a place, if they are limited.
  template <class F>
  void start(F&& f) {
    using function = std::decay_t<F>;
    using result = std::invoke_result_t<function>;
    static_assert(std::is_void_v<result> || std::is_convertible_v<result, std::error_code>,
                  "a function of an errgroup returns nothing or a std::error_code");
    children_.add(1);
    active_.fetch_add(1, std::memory_order_relaxed);
    counted_in until_it_is_the_childs{this};
    detail::check_callable<function>(f);
    detail::new_goroutine g;
    detail::closure_ops<child<function>>::put(g.slot(), this, std::forward<F>(f));
    until_it_is_the_childs.in = nullptr;
    g.start();
  }
  // The group may be gone at the end.
  void count_out() {
    if (places_) places_->release();
    active_.fetch_sub(1, std::memory_order_release);  // set_limit() may replace the places after this
    children_.done();
  }
  void keep(std::exception_ptr failure) {
    if (failed_.exchange(true, std::memory_order_relaxed)) return;
    first_ = std::move(failure);
    if (below_) below_->cancel(first_);
  }
  // relaxed: counting out publishes what keep() wrote.
  std::exception_ptr end() {
    children_.wait();
    if (below_) below_->cancel();
    return first_;
  }

  wait_group children_;
  std::atomic<std::ptrdiff_t> active_{0};
  std::optional<semaphore> places_;
  std::optional<cause_cancelable_context> below_;
  std::atomic<bool> failed_{false};
  std::exception_ptr first_;  // written by the one who set failed_, read when all have ended
};

}  // namespace pirn
