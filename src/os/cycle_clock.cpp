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

bool kernel_keeps_time_by_tsc() noexcept {
  const int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char name[8] = {};
  const ssize_t n = read(fd, name, sizeof name - 1);
  close(fd);
  return n >= 4 && std::strncmp(name, "tsc\n", 4) == 0;
}

}  // namespace

void init_cycle_clock() noexcept {
#if defined(__x86_64__)
  if (usable.load(std::memory_order_acquire) || !kernel_keeps_time_by_tsc()) return;
  first_ns = now_ns();
  first_cycles = __builtin_ia32_rdtsc();
  usable.store(true, std::memory_order_release);
#endif
}

std::int64_t cycle_clock::refresh() noexcept {
  const std::int64_t now = now_ns();
#if defined(__x86_64__)
  if (!usable.load(std::memory_order_acquire) || now - first_ns < k_shortest_measurement_ns) return now;
  const std::uint64_t cycles = __builtin_ia32_rdtsc();
  const auto elapsed_ns = static_cast<unsigned __int128>(now - first_ns);
  rate_ = static_cast<std::uint64_t>((elapsed_ns << 32) / (cycles - first_cycles));
  window_ = rate_ == 0 ? 0 : static_cast<std::uint64_t>((static_cast<unsigned __int128>(k_window_ns) << 32) / rate_);
  cycles_ = cycles;
  ns_ = now;
#endif
  return now;
}

}  // namespace pirn::rt
