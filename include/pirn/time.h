// Sleeping, timers and tickers on a steady clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>

#include "pirn/chan.h"
#include "pirn/clock.h"
#include "pirn/go.h"

namespace pirn {

namespace detail {

void sleep_until_instant(time_point deadline);
void sleep_for_duration(duration d);
std::error_code sleep_until_instant(const context& ctx, time_point deadline);

struct timer_state;
timer_state* timer_new(duration d, bool periodic);
// A function that a timer may call again and again; need not be copyable.
struct timer_task {
  virtual ~timer_task() = default;
  virtual void call() = 0;
};
template <class F>
struct timer_task_of final : timer_task {
  explicit timer_task_of(F&& fn) : f(std::move(fn)) {}
  explicit timer_task_of(const F& fn) : f(fn) {}
  void call() override { std::invoke(f); }
  F f;
};
timer_state* timer_new_func(duration d, std::unique_ptr<timer_task> task);
bool timer_stop(timer_state* t);
bool timer_reset(timer_state* t, duration d);
chan_core* timer_channel(timer_state* t);  // null: a timer of after_func
void timer_release(timer_state* t) noexcept;

// Owns a share of a timer; the channel owns another.
class timer_handle {
 public:
  explicit timer_handle(timer_state* t) noexcept : t_(t) {}
  timer_handle(timer_handle&& o) noexcept : t_(std::exchange(o.t_, nullptr)) {}
  timer_handle& operator=(timer_handle&& o) noexcept {
    timer_handle(std::move(o)).swap(*this);
    return *this;
  }
  ~timer_handle() {
    if (t_ != nullptr) timer_release(t_);
  }
  void swap(timer_handle& o) noexcept { std::swap(t_, o.t_); }
  timer_state* get() const {
    if (t_ == nullptr) throw std::logic_error("use of a moved-from timer");
    return t_;
  }

 private:
  timer_state* t_;
};

}  // namespace detail

// Blocks: parks for at least d; not at all for d <= 0 (it yields nothing either).
template <class Rep, class Period>
void sleep_for(const std::chrono::duration<Rep, Period>& d) {
  detail::sleep_for_duration(detail::saturated(d));
}

// Blocks: parks until the clock has reached tp.
template <class Clock, class Duration>
void sleep_until(const std::chrono::time_point<Clock, Duration>& tp) {
  detail::sleep_until_instant(detail::on_own_clock(tp));
}

// The same until ctx ends: then its error. An error at once when it has ended already.
template <class Rep, class Period>
[[nodiscard]] std::error_code sleep_for(const context& ctx, const std::chrono::duration<Rep, Period>& d) {
  return detail::sleep_until_instant(ctx, detail::deadline_after(detail::saturated(d)));
}
template <class Clock, class Duration>
[[nodiscard]] std::error_code sleep_until(const context& ctx, const std::chrono::time_point<Clock, Duration>& tp) {
  return detail::sleep_until_instant(ctx, detail::on_own_clock(tp));
}

// Fires once: sends the instant it was due to its channel, or runs a function on a goroutine of its own (after_func).
// After stop() or reset() has returned no value of before can be received any more (Go 1.23). len() and cap() of the
// channel are 0. It lives while the object or its channel does.
// Thread-safety: any thread. Cost: constant for stop() and for a reset to a later instant.
class timer {
 public:
  template <class Rep, class Period>
  explicit timer(const std::chrono::duration<Rep, Period>& d)
      : handle_(detail::timer_new(detail::saturated(d), false)) {}

  // The nil channel for a timer of after_func.
  recv_chan<time_point> channel() const {
    detail::chan_core* c = detail::timer_channel(handle_.get());
    detail::chan_retain(c);
    return recv_chan<time_point>(c);
  }
  // True when it kept the value from being received, or the function from being started.
  bool stop() { return detail::timer_stop(handle_.get()); }
  // Fires d from now, once. Returns what stop() would have.
  template <class Rep, class Period>
  bool reset(const std::chrono::duration<Rep, Period>& d) {
    return detail::timer_reset(handle_.get(), detail::saturated(d));
  }

 private:
  template <class Rep, class Period, class F>
    requires std::is_invocable_v<std::decay_t<F>&>
  friend timer after_func(const std::chrono::duration<Rep, Period>& d, F&& f);
  explicit timer(detail::timer_state* t) noexcept : handle_(t) {}
  detail::timer_handle handle_;
};

// Fires every d. A receiver that is slow misses ticks; at most one waits. Otherwise as timer.
// Errors: std::invalid_argument for d <= 0 ("non-positive interval for NewTicker", "... for Ticker.Reset").
class ticker {
 public:
  template <class Rep, class Period>
  explicit ticker(const std::chrono::duration<Rep, Period>& d)
      : handle_(detail::timer_new(detail::saturated(d), true)) {}

  recv_chan<time_point> channel() const {
    detail::chan_core* c = detail::timer_channel(handle_.get());
    detail::chan_retain(c);
    return recv_chan<time_point>(c);
  }
  bool stop() { return detail::timer_stop(handle_.get()); }
  template <class Rep, class Period>
  void reset(const std::chrono::duration<Rep, Period>& d) {
    detail::timer_reset(handle_.get(), detail::saturated(d));
  }

 private:
  detail::timer_handle handle_;
};

// A channel that gets the instant, once, d from now. The timer goes with the channel's last handle.
template <class Rep, class Period>
recv_chan<time_point> after(const std::chrono::duration<Rep, Period>& d) {
  return timer(d).channel();
}

// Calls f on a goroutine of its own, d from now, unless stopped first. The timer need not be kept.
template <class Rep, class Period, class F>
  requires std::is_invocable_v<std::decay_t<F>&>
timer after_func(const std::chrono::duration<Rep, Period>& d, F&& f) {
  return timer(detail::timer_new_func(detail::saturated(d),
                                      std::make_unique<detail::timer_task_of<std::decay_t<F>>>(std::forward<F>(f))));
}

}  // namespace pirn
