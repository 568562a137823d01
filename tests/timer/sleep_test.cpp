// sleep_for, sleep_until and after: never too short, for durations and clocks of every kind.
// How much longer than asked is the bench's business.
// Layer: tests of src/timer, through the public headers.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class sleep : public on_procs {};
PIRN_TEST_ON_PROCS(sleep);

TEST(clock, is_steady) {
  static_assert(pirn::clock::is_steady);
  run_on(1, [] {
    auto last = pirn::now();
    for (int i = 0; i < 1000; ++i) {
      const auto now = pirn::now();
      ASSERT_GE(now, last);
      last = now;
    }
    EXPECT_LE(last, pirn::clock::now());
  });
}

TEST_P(sleep, lasts_at_least_as_long_as_asked) {
  run([] {
    for (const auto d : {1us, 50us, 999us, 1001us, 5000us}) {
      const auto begin = pirn::now();
      const auto std_begin = std::chrono::steady_clock::now();
      pirn::sleep_for(d);
      EXPECT_GE(pirn::now() - begin, d);
      EXPECT_GE(std::chrono::steady_clock::now() - std_begin, d) << "measured by the standard's clock";
    }
  });
}

TEST_P(sleep, takes_durations_of_any_kind) {
  run([] {
    const auto begin = pirn::now();
    pirn::sleep_for(std::chrono::duration<double>(0.0005));
    pirn::sleep_for(std::chrono::duration<float, std::milli>(0.5F));
    pirn::sleep_for(std::chrono::duration<int, std::ratio<1, 3000>>(1));
    pirn::sleep_for(std::chrono::milliseconds(1));
    EXPECT_GE(pirn::now() - begin, 2300us);
  });
}

// Go: Sleep of nothing or less returns at once.
TEST_P(sleep, for_nothing_or_less_returns) {
  run([] {
    pirn::sleep_for(0ns);
    pirn::sleep_for(-1h);
    pirn::sleep_for(std::chrono::nanoseconds::min());
    pirn::sleep_for(std::chrono::hours::min());
    pirn::sleep_for(std::chrono::duration<double>(-1e300));
    pirn::sleep_until(pirn::now());
    pirn::sleep_until(pirn::now() - 1h);
    pirn::sleep_until(pirn::clock::time_point::min());
    pirn::sleep_until(std::chrono::system_clock::now() - 1h);
    pirn::sleep_until(std::chrono::steady_clock::time_point());
    pirn::sleep_until(std::chrono::system_clock::time_point::min());
    pirn::sleep_until(std::chrono::time_point<std::chrono::system_clock, std::chrono::hours>::min());
    pirn::sleep_until(std::chrono::time_point<pirn::clock, std::chrono::hours>::min());
  });
}

// Go: TestOverflowSleep. What is too long to count is for ever, not at once.
TEST(sleep_overflow, is_for_ever) {
  std::atomic<int> started{0}, woken{0};
  pirn::recv_chan<pirn::clock::time_point> after_hours, after_nanoseconds;  // what is waited on outlives the run
  run_and_abandon(2, [&] {
    after_hours = pirn::after(std::chrono::hours::max());
    after_nanoseconds = pirn::after(std::chrono::nanoseconds::max());
    const auto start = [&](auto wait) {
      pirn::go([&, wait] {
        ++started;
        wait();
        ++woken;
      });
    };
    start([] { pirn::sleep_for(std::chrono::nanoseconds::max()); });
    start([] { pirn::sleep_for(std::chrono::nanoseconds::max() - 1ns); });
    start([] { pirn::sleep_for(std::chrono::hours::max()); });
    start([] { pirn::sleep_for(std::chrono::seconds(std::numeric_limits<std::int64_t>::max() / 1'000'000'000 + 1)); });
    start([] { pirn::sleep_for(std::chrono::duration<double>(1e300)); });
    start([] { pirn::sleep_for(std::chrono::duration<double>(std::numeric_limits<double>::infinity())); });
    start([] { pirn::sleep_until(pirn::clock::time_point::max()); });
    start([] { pirn::sleep_until(std::chrono::system_clock::time_point::max()); });
    start([] { pirn::sleep_until(std::chrono::time_point<std::chrono::system_clock, std::chrono::hours>::max()); });
    start([] { pirn::sleep_until(std::chrono::time_point<pirn::clock, std::chrono::hours>::max()); });
    start([&] { after_hours.recv(); });
    start([&] { after_nanoseconds.recv(); });
    yield_until([&] { return started == 12; });
    // Timers that are due are served first.
    for (int i = 0; i < 20; ++i) pirn::sleep_for(100us);
  });
  EXPECT_EQ(woken, 0);
}

TEST_P(sleep, until_an_instant_of_each_clock) {
  run([] {
    const auto mine = pirn::now() + 1ms;
    pirn::sleep_until(mine);
    EXPECT_GE(pirn::now(), mine);
    const auto steady = std::chrono::steady_clock::now() + 1ms;
    pirn::sleep_until(steady);
    EXPECT_GE(std::chrono::steady_clock::now(), steady);
    // A wall clock that is set back meanwhile makes no difference to a deadline that is converted once.
    const auto begin = pirn::now();
    pirn::sleep_until(std::chrono::system_clock::now() + 2ms);
    EXPECT_GE(pirn::now() - begin, 1ms);
  });
}

TEST_P(sleep, parks_only_the_goroutine) {
  run([] {
    constexpr int k_sleepers = 200;
    pirn::wait_group wg;
    std::atomic<int> asleep{0};
    for (int i = 0; i < k_sleepers; ++i) {
      wg.go([&] {
        ++asleep;
        pirn::sleep_for(5ms);
      });
    }
    yield_until([&] { return asleep == k_sleepers; });
    wg.wait();
  });
}

// Go: TestSleep. Signals do not cut a sleep short.
TEST_P(sleep, is_not_cut_short_by_signals) {
  struct sigaction ignore_but_interrupt {};
  ignore_but_interrupt.sa_handler = [](int) {};
  struct sigaction before {};
  ASSERT_EQ(sigaction(SIGUSR1, &ignore_but_interrupt, &before), 0);
  run([] {
    std::atomic<bool> stop{false};
    std::thread sender([&] {
      while (!stop) {
        kill(getpid(), SIGUSR1);
        std::this_thread::sleep_for(200us);
      }
    });
    for (int i = 0; i < 5; ++i) {
      const auto begin = pirn::now();
      pirn::sleep_for(3ms);
      EXPECT_GE(pirn::now() - begin, 3ms);
    }
    stop = true;
    join(sender);
  });
  sigaction(SIGUSR1, &before, nullptr);
}

// Go: TestAfterQueuing. With one P, sleepers go on in the order of their deadlines, however they were queued.
// Unless some are stopped in place meanwhile (a slow machine sees their neighbours as such that compute).
TEST(sleep_order, is_the_order_of_the_deadlines) {
  if (under_chaos()) GTEST_SKIP() << "queues are changed at random there";
  pirn::config cfg = with_procs(1);
  cfg.preempt_signal = -1;
  pirn::run(cfg, [] {
    const std::vector<int> slots = {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
    const pirn::chan<int> order(slots.size());
    pirn::wait_group wg;
    // Far enough off for all of them to be queued first, also under a sanitizer.
    const auto base = pirn::now() + 100ms;
    for (const int slot : slots) {
      wg.go([&, slot] {
        pirn::sleep_until(base + slot * 200us);
        order.send(slot);
      });
    }
    wg.wait();
    std::vector<int> woken;
    while (const auto slot = order.try_recv()) woken.push_back(*slot.value);
    EXPECT_EQ(woken.size(), slots.size());
    EXPECT_TRUE(std::is_sorted(woken.begin(), woken.end())) << testing::PrintToString(woken);
  });
}

TEST_P(sleep, never_ends_before_the_deadline_whatever_the_queue) {
  run([] {
    pirn::wait_group wg;
    const auto base = pirn::now();
    const int n = scaled(2000);
    for (int i = 0; i < n; ++i) {
      wg.go([=] {
        const auto deadline = base + std::chrono::microseconds(i * 7919 % 20000);
        pirn::sleep_until(deadline);
        ASSERT_GE(pirn::now(), deadline);
      });
    }
    wg.wait();
  });
}

// Go: TestLongAdjustTimers. Thousands of sleepers beside a ping-pong.
TEST_P(sleep, goes_on_beside_busy_goroutines) {
  run([] {
    const int sleepers = scaled(5000);
    pirn::wait_group wg;
    for (int i = 0; i < sleepers; ++i) {
      wg.go([i] { pirn::sleep_for(std::chrono::microseconds(i % 1000 * 20)); });
    }
    std::atomic<bool> stop{false};
    const pirn::chan<int> ping, pong;
    pirn::go([=] {
      for (int v : ping) pong.send(v);
      pong.close();
    });
    auto player = pirn::spawn([&, ping, pong] {
      while (!stop) {
        ping.send(1);
        pong.recv();
      }
      ping.close();
    });
    wg.wait();
    stop = true;
    player.get();
    pong.recv();
  });
}

TEST_P(sleep, of_many_one_after_the_other) {
  run([] {
    const auto begin = pirn::now();
    for (int i = 0; i < 30; ++i) pirn::sleep_for(100us);
    EXPECT_GE(pirn::now() - begin, 3ms);
  });
}

TEST_P(sleep, works_on_a_plain_thread) {
  run([] {
    std::thread t([] {
      const auto begin = pirn::now();
      pirn::sleep_for(2ms);
      pirn::sleep_until(begin + 3ms);
      pirn::sleep_for(-1s);
      EXPECT_GE(pirn::now() - begin, 3ms);
    });
    join(t);
  });
}

TEST_P(sleep, after_gives_the_instant_at_which_it_was_due) {
  run([] {
    const auto before = pirn::now();
    const pirn::recv_chan<pirn::clock::time_point> c = pirn::after(2ms);
    const auto made = pirn::now();
    pirn::sleep_for(5ms);
    const auto due = c.recv().value();
    EXPECT_GE(due, before + 2ms);
    EXPECT_LT(due, made + 3ms) << "the instant of the receive, not the due one";
    EXPECT_EQ(c.try_recv().status, pirn::chan_status::empty) << "it fires once";
  });
}

TEST_P(sleep, after_nothing_or_less_is_ready) {
  run([] {
    for (const auto d : {0ns, -5ns, std::chrono::nanoseconds::min()}) EXPECT_TRUE(pirn::after(d).recv().has_value());
  });
}

}  // namespace
