// Layer: lab/support. See futex_ping_pong.h.
#include "support/futex_ping_pong.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "support/probe.h"

namespace lab {
namespace {

class turn {
 public:
  void pass_to(std::uint32_t side) {
    whose_.store(side, std::memory_order_release);
    syscall(SYS_futex, &whose_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  void wait_for(std::uint32_t side) {
    while (whose_.load(std::memory_order_acquire) != side) {
      syscall(SYS_futex, &whose_, FUTEX_WAIT_PRIVATE, 1 - side, nullptr, nullptr, 0);
    }
  }

 private:
  std::atomic<std::uint32_t> whose_{0};
};

}  // namespace

double futex_round_trip_ns(int trips) {
  turn t;
  std::thread other([&] {
    for (int i = 0; i < trips; ++i) {
      t.wait_for(1);
      t.pass_to(0);
    }
  });
  const stopwatch watch;
  for (int i = 0; i < trips; ++i) {
    t.pass_to(1);
    t.wait_for(0);
  }
  const double each = watch.ns() / trips;
  other.join();
  return each;
}

}  // namespace lab
