// The clock of everything that waits for an instant, and how other clocks' instants become its own.
#pragma once

#include <chrono>
#include <type_traits>

namespace pirn {

// The steady clock all of pirn runs on (CLOCK_MONOTONIC); meets the requirements of a C++ clock.
struct clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<clock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept;
};
using time_point = clock::time_point;
using duration = clock::duration;

inline time_point now() noexcept { return clock::now(); }

namespace detail {

// A deadline or length that does not fit counts as the farthest one.
template <class Rep, class Period>
duration saturated(const std::chrono::duration<Rep, Period>& d) {
  using wide = std::chrono::duration<long double, std::nano>;
  const wide w = d;
  if (w >= wide(duration::max())) return duration::max();
  if (w <= wide(duration::min())) return duration::min();
  return std::chrono::ceil<duration>(d);
}
inline duration saturated(duration d) noexcept { return d; }

// now() + d, no later than the end of time.
time_point deadline_after(duration d) noexcept;

// A deadline of another clock is converted once, by that clock's distance to it.
template <class Clock, class Duration>
time_point on_own_clock(const std::chrono::time_point<Clock, Duration>& tp) {
  if constexpr (std::is_same_v<Clock, clock>) {
    return time_point(saturated(tp.time_since_epoch()));
  } else {
    // In floating point: the difference of far instants, in whatever unit, would overflow.
    using wide = std::chrono::duration<long double, std::nano>;
    return deadline_after(saturated(wide(tp.time_since_epoch()) - wide(Clock::now().time_since_epoch())));
  }
}

}  // namespace detail
}  // namespace pirn
