// The dice of os/chaos.h. Layer: os.
#include "os/chaos.h"

#ifdef PIRN_CHAOS
#include <sched.h>
#include <time.h>

#include <atomic>
#include <cerrno>

#include "os/debug_setting.h"

namespace pirn::rt {

namespace {

std::atomic<std::uint64_t> seed{0};  // 0: off. Foreign threads may read it while a run begins.

// Never inlined, so that no caller keeps the address of the thread's state over a switch. A signal's handler draws as
// well: what it draws while the thread is drawing is lost again, or the same.
PIRN_NOINLINE std::uint64_t draw() noexcept {
  static std::atomic<std::uint64_t> threads{0};
  [[gnu::tls_model("initial-exec")]] static thread_local std::uint64_t state = 0;
  if (state == 0)
    state = (seed.load(std::memory_order_relaxed) + threads.fetch_add(1, std::memory_order_relaxed)) *
                0x9E3779B97F4A7C15ULL |
            1;
  // xorshift64*
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (state * 0x2545F4914F6CDD1DULL) >> 32;
}

}  // namespace

void init_chaos() noexcept {
  seed.store(static_cast<std::uint64_t>(debug_setting("chaos", 0)), std::memory_order_relaxed);
}

// Mostly short, since there are millions of steps; a lost core is what a loaded machine does to any of them.
void chaos_step() noexcept {
  if (seed.load(std::memory_order_relaxed) == 0) return;
  const std::uint64_t dice = draw();
  if (dice % 8 != 0) return;
  const int saved = errno;
  if (dice % 1024 == 0) {
    const timespec shortly{0, static_cast<long>(dice / 1024 % 100'000)};
    nanosleep(&shortly, nullptr);
  } else if (dice % 64 == 0) {
    sched_yield();
  } else {
    for (std::uint64_t i = dice / 8 % 64; i > 0; --i) cpu_pause();
  }
  errno = saved;
}

bool chaos_chance(std::uint32_t n) noexcept { return seed.load(std::memory_order_relaxed) != 0 && draw() % n == 0; }

}  // namespace pirn::rt
#endif
