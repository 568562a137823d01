// Waiters that give up: selects whose time-out comes first, from every place in the queues, beside waiters that stay.
// What is sent arrives, and nobody is forgotten.
// Layer: tests, through the public headers.
#include <array>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class cancelled_waiters : public on_procs {};
PIRN_TEST_ON_PROCS(cancelled_waiters);

// Patient senders and receivers beside impatient ones, on few channels.
TEST_P(cancelled_waiters, lose_no_value) {
  run([] {
    const std::array<pirn::chan<int>, 3> c{pirn::chan<int>(0), pirn::chan<int>(0), pirn::chan<int>(1)};
    const pirn::chan<void> quit;
    std::atomic<long> sent{0}, received{0};
    std::atomic<int> gave_up{0};
    pirn::wait_group senders, receivers;
    constexpr unsigned k_each = 6;
    const int steps = scaled(2000);
    for (unsigned g = 0; g < k_each; ++g) {
      senders.go([&, g] {
        auto random = random_for(g);
        for (int i = 0; i < steps; ++i) {
          const auto &a = c[random() % 3], &b = c[random() % 3];
          if (g % 2 == 0) {
            a.send(1);
            ++sent;
          } else {
            const auto t = pirn::after(std::chrono::microseconds(random() % 60));
            if (pirn::select(pirn::send(a, 1), pirn::send(b, 1), pirn::recv(t)) == 2) {
              ++gave_up;
            } else {
              ++sent;
            }
          }
        }
      });
      receivers.go([&, g] {
        auto random = random_for(100 + g);
        for (;;) {
          int v = 0;
          const auto &a = c[random() % 3], &b = c[random() % 3];
          // Somebody always listens to all of them.
          const auto t = pirn::after(std::chrono::microseconds(random() % 60));
          const int at =
              g == 0 ? pirn::select(pirn::recv(c[0], v), pirn::recv(c[1], v), pirn::recv(c[2], v), pirn::recv(quit))
                     : pirn::select(pirn::recv(a, v), pirn::recv(b, v), pirn::recv(t), pirn::recv(quit));
          received += v;
          if (at == 3) return;
        }
      });
    }
    senders.wait();
    // The last value may still lie in the buffer.
    yield_until([&] { return received == sent; });
    quit.close();
    receivers.wait();
    EXPECT_EQ(received, sent);
    for (const auto& each : c) {
      EXPECT_FALSE(each.try_recv().value.has_value());
    }
    for (int i = 0; i < 2; ++i) EXPECT_FALSE(c[static_cast<std::size_t>(i)].try_send(1)) << "a dead receiver";
  });
}

// The time-out and the value come at the same instant.
TEST_P(cancelled_waiters, time_out_and_value_are_never_both_taken) {
  run([] {
    const pirn::chan<int> c;
    std::atomic<long> sent{0}, received{0};
    pirn::wait_group wg;
    const int steps = scaled(4000);
    for (unsigned g = 0; g < 4; ++g) {
      wg.go([&, g] {
        auto random = random_for(g);
        for (int i = 0; i < steps; ++i) {
          const auto t = pirn::after(std::chrono::microseconds(random() % 4));
          if (g % 2 == 0) {
            if (pirn::select(pirn::send(c, 1), pirn::recv(t)) == 0) ++sent;
          } else {
            int v = 0;
            if (pirn::select(pirn::recv(c, v), pirn::recv(t)) == 0) received += v;
          }
        }
      });
    }
    wg.wait();
    EXPECT_EQ(received, sent);
  });
}

TEST_P(cancelled_waiters, on_plain_threads_lose_no_value) {
  run([] {
    const pirn::chan<int> c, d(1);
    std::atomic<long> sent{0}, received{0};
    std::vector<std::thread> threads;
    pirn::wait_group wg;
    const int steps = scaled(500);
    for (unsigned g = 0; g < 4; ++g) {
      const auto work = [&, g] {
        auto random = random_for(g);
        for (int i = 0; i < steps; ++i) {
          const auto t = pirn::after(std::chrono::microseconds(random() % 100));
          int v = 0;
          const int at = g % 2 == 0 ? pirn::select(pirn::send(c, 1), pirn::send(d, 1), pirn::recv(t))
                                    : pirn::select(pirn::recv(c, v), pirn::recv(d, v), pirn::recv(t));
          if (g % 2 == 0 && at != 2) ++sent;
          received += v;
        }
      };
      threads.emplace_back(work);
      wg.go(work);
    }
    wg.wait();
    for (auto& t : threads) join(t);
    if (const auto rest = d.try_recv(); rest.value) received += *rest.value;
    EXPECT_EQ(received, sent);
  });
}

TEST_P(cancelled_waiters, of_stopped_timers_and_resets_wake_once) {
  run([] {
    pirn::wait_group wg;
    for (unsigned g = 0; g < 8; ++g) {
      wg.go([g] {
        auto random = random_for(g);
        pirn::timer t(24h);
        for (int i = 0; i < scaled(1000); ++i) {
          t.reset(std::chrono::microseconds(random() % 30));
          auto other = pirn::spawn([&] { return random() % 2 == 0 && t.stop(); });
          const bool stopped = other.get();
          if (!stopped) {
            t.channel().recv();
          }
          ASSERT_EQ(t.channel().try_recv().status, pirn::chan_status::empty);
        }
      });
    }
    wg.wait();
  });
}

}  // namespace
