// The futex calls behind os/futex.h. Layer: os.
#include "os/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "os/chaos.h"

namespace pirn::rt {

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t deadline_ns) noexcept {
  // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC instant, so a retry after EINTR needs no arithmetic.
  timespec until{};
  if (deadline_ns != k_forever) {
    if (deadline_ns < 0) deadline_ns = 0;
    until.tv_sec = deadline_ns / 1'000'000'000;
    until.tv_nsec = deadline_ns % 1'000'000'000;
  }
  const int saved = errno;
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
          deadline_ns == k_forever ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY);
  errno = saved;
}

void futex_wake(std::atomic<std::uint32_t>& word, int count) noexcept {
  const int saved = errno;
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, nullptr, nullptr,
          0);
  errno = saved;
}

namespace {
std::int64_t monotonic_ns() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}
}  // namespace

bool thread_event::try_consume() noexcept {
  std::uint32_t one = 1;
  return word_.compare_exchange_strong(one, 0, std::memory_order_acquire, std::memory_order_relaxed);
}

bool thread_event::wait(std::int64_t deadline_ns) noexcept {
  for (;;) {
    if (try_consume()) return true;
    chaos_step();
    std::uint32_t none = 0;
    if (word_.compare_exchange_strong(none, 2, std::memory_order_relaxed) || none == 2) {
      futex_wait(word_, 2, deadline_ns);
      if (deadline_ns != k_forever && monotonic_ns() >= deadline_ns) {
        // Leave the sleeping state by an exchange: a signal that slips in here must not be lost.
        return word_.exchange(0, std::memory_order_acquire) == 1;
      }
    }
  }
}

bool thread_event::signal() noexcept {
  chaos_step();
  const std::uint32_t before = word_.exchange(1, std::memory_order_release);  // [EV-1]
  if (before == 2) futex_wake(word_, 1);
  return before == 3;
}

bool thread_event::begin_elsewhere() noexcept {
  chaos_step();
  std::uint32_t none = 0;
  return word_.compare_exchange_strong(none, 3, std::memory_order_relaxed);
}

bool thread_event::end_elsewhere() noexcept { return word_.exchange(0, std::memory_order_acquire) == 1; }

void thread_mutex::lock_slow() noexcept {
  for (int i = 0; i < 40; ++i) {
    if (word_.load(std::memory_order_relaxed) == 0 && try_lock()) return;
    cpu_pause();
  }
  while (word_.exchange(2, std::memory_order_acquire) != 0) futex_wait(word_, 2);
}

}  // namespace pirn::rt
