// Reading CLOCK_MONOTONIC by the cycle counter, at half the cost. Layer: os.
//
// Only where the kernel itself keeps time by that counter (x86-64: clocksource "tsc"; Arm: "arch_sys_counter"), so that
// it is constant and in step on all CPUs. A reader
// keeps one pair of cycles and nanoseconds and extrapolates from it for a millisecond at most, then takes a new one;
// the rate is measured over the time since the process first looked. Over a millisecond the error stays below a
// microsecond (the kernel slews by 500 ppm at most). For timers that need not be exact to that; everything else calls
// now_ns().
#pragma once

#include <atomic>
#include <cstdint>

#include "os/base.h"
#include "os/clock.h"

namespace pirn::rt {

PIRN_ALWAYS_INLINE std::uint64_t read_cycles() noexcept {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  std::uint64_t count;
  asm volatile("mrs %0, cntvct_el0" : "=r"(count));
  return count;
#endif
}

// Owner only.
class cycle_clock {
 public:
  // now_ns() give or take k_error_ns.
  static constexpr std::int64_t k_error_ns = 1000;

  std::int64_t now() noexcept {
    const std::uint64_t passed = read_cycles() - cycles_;
    if (PIRN_LIKELY(passed < window_)) {
      return ns_ + static_cast<std::int64_t>((static_cast<unsigned __int128>(passed) * rate_) >> 32);
    }
    return refresh();
  }

 private:
  std::int64_t refresh() noexcept;
  std::uint64_t cycles_ = 0;
  std::uint64_t window_ = 0;  // cycles for which the pair is good; 0 before the rate is known
  std::uint64_t rate_ = 0;    // nanoseconds per cycle, 32.32 fixed point
  std::int64_t ns_ = 0;
};

// Looks once whether the cycle counter can be used; the rate is known some milliseconds later.
void init_cycle_clock() noexcept;

}  // namespace pirn::rt
