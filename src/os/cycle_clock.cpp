// The rate of the cycle counter. Layer: os. Why and how exact: os/cycle_clock.h.
#include "os/cycle_clock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

namespace pirn::rt {

namespace {

constexpr std::int64_t k_window_ns = 1'000'000;
constexpr std::int64_t k_shortest_measurement_ns = 5'000'000;

// The first pair of the process; written once before `usable`.
std::uint64_t first_cycles = 0;
std::int64_t first_ns = 0;
std::atomic<bool> usable{false};

#if defined(__x86_64__)
constexpr char k_clocksource[] = "tsc\n";
#elif defined(__aarch64__)
constexpr char k_clocksource[] = "arch_sys_counter\n";
#endif

bool kernel_keeps_time_by_counter() noexcept {
  const int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char name[sizeof k_clocksource] = {};
  const ssize_t n = read(fd, name, sizeof name - 1);
  close(fd);
  return n > 0 && std::strcmp(name, k_clocksource) == 0;
}

}  // namespace

void init_cycle_clock() noexcept {
  if (usable.load(std::memory_order_acquire) || !kernel_keeps_time_by_counter()) return;
  // The closest of a few pairs: how far apart its two readings are is the error of the rate.
  std::uint64_t closest = UINT64_MAX;
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = read_cycles();
    const std::int64_t ns = now_ns();
    const std::uint64_t apart = read_cycles() - before;
    if (apart >= closest) continue;
    closest = apart;
    first_cycles = before;
    first_ns = ns;
  }
  usable.store(true, std::memory_order_release);
}

std::int64_t cycle_clock::refresh() noexcept {
  // The count is read first, so that what passes between the two makes the clock late, never early; when that is more
  // than the error allowed, as after losing the core there, the pair is not kept.
  const std::uint64_t cycles = read_cycles();
  const std::int64_t now = now_ns();
  const std::uint64_t apart = read_cycles() - cycles;
  if (!usable.load(std::memory_order_acquire) || now - first_ns < k_shortest_measurement_ns) return now;
  const auto elapsed_ns = static_cast<unsigned __int128>(now - first_ns);
  rate_ = static_cast<std::uint64_t>((elapsed_ns << 32) / (cycles - first_cycles));
  window_ = rate_ == 0 ? 0 : static_cast<std::uint64_t>((static_cast<unsigned __int128>(k_window_ns) << 32) / rate_);
  if (static_cast<std::int64_t>((static_cast<unsigned __int128>(apart) * rate_) >> 32) > k_error_ns / 2) window_ = 0;
  cycles_ = cycles;
  ns_ = now;
  return now;
}

}  // namespace pirn::rt
