// ticker: ticks again and again, skips what nobody was there for, and stops.
// Layer: tests of src/timer, through the public headers.
#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class ticker : public on_procs {};
PIRN_TEST_ON_PROCS(ticker);

// Go: TestTicker, its lower bound
TEST_P(ticker, does_not_tick_too_fast) {
  run([] {
    const auto begin = pirn::now();
    pirn::ticker t(500us);
    for (int i = 1; i <= 10; ++i) {
      const auto due = t.channel().recv().value();
      EXPECT_GE(due - begin, i * 500us);
      EXPECT_GE(pirn::now() - begin, i * 500us);
    }
  });
}

// A due time is a whole number of periods after the instant at which the ticker was made, however late the receiver is.
TEST_P(ticker, due_times_keep_to_the_period) {
  run([] {
    constexpr auto k_period = 500us;
    constexpr auto k_clock_grain = 10us;
    const auto before = pirn::now() - k_clock_grain;
    pirn::ticker t(k_period);
    const auto made = pirn::now() + k_clock_grain;
    auto last = pirn::clock::time_point::min();
    for (int i = 0; i < 10; ++i) {
      const auto due = t.channel().recv().value();
      ASSERT_GT(due, last);
      last = due;
      const auto periods = (due - before) / k_period;
      EXPECT_LE(due - periods * k_period, made) << "off the period";
    }
  });
}

TEST_P(ticker, skips_ticks_for_a_slow_receiver) {
  run([] {
    pirn::ticker t(200us);
    pirn::sleep_for(6ms);
    t.stop();
    int ticks = 0;
    while (t.channel().try_recv().status == pirn::chan_status::ok) ++ticks;
    EXPECT_EQ(ticks, 0) << "no stale value after stop";

    pirn::ticker slow(2ms);
    auto last = slow.channel().recv().value();
    for (int i = 0; i < 3; ++i) {
      pirn::sleep_for(5ms);
      const auto first = slow.channel().recv().value();
      const auto second = slow.channel().recv().value();
      EXPECT_GE(first - last, 2ms);
      EXPECT_GE(second - first, 2ms) << "missed ticks were handed out in a burst";
      last = second;
    }
  });
}

TEST_P(ticker, stop_stops_it) {
  run([] {
    pirn::ticker t(100us);
    t.channel().recv();
    t.stop();
    pirn::sleep_for(2ms);
    EXPECT_EQ(t.channel().try_recv().status, pirn::chan_status::empty);
    t.stop();
    auto waiting = pirn::spawn([&] { return t.channel().recv().has_value(); });
    pirn::sleep_for(1ms);
    EXPECT_FALSE(waiting.ready()) << "a stopped ticker's channel is not closed";
    t.reset(100us);
    EXPECT_TRUE(waiting.get());
  });
}

TEST_P(ticker, reset_changes_the_period) {
  run([] {
    pirn::ticker t(24h);
    auto begin = pirn::now();
    t.reset(500us);
    for (int i = 0; i < 4; ++i) t.channel().recv();
    EXPECT_GE(pirn::now() - begin, 2ms);
    begin = pirn::now();
    t.reset(1ms);
    for (int i = 0; i < 4; ++i) EXPECT_GE(t.channel().recv().value() - begin, (i + 1) * 1ms);
  });
}

TEST_P(ticker, reset_throws_an_old_tick_away) {
  run([] {
    pirn::ticker t(100us);
    pirn::sleep_for(2ms);
    const auto begin = pirn::now();
    t.reset(3ms);
    EXPECT_GE(t.channel().recv().value() - begin, 3ms);
  });
}

// Go: TestNewTickerLtZeroDuration, TestTickerResetLtZeroDuration
TEST_P(ticker, a_period_that_is_not_positive_throws) {
  run([] {
    for (const auto d : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
      try {
        pirn::ticker t(d);
        ADD_FAILURE() << "a ticker every " << d.count() << " ns";
      } catch (const std::logic_error& e) {
        EXPECT_NE(std::string(e.what()).find("non-positive interval"), std::string::npos) << e.what();
      }
      pirn::ticker t(24h);
      EXPECT_THROW(t.reset(d), std::logic_error);
      t.reset(100us);
      EXPECT_TRUE(t.channel().recv().has_value()) << "untouched by the refused reset";
    }
  });
}

TEST_P(ticker, the_longest_periods_never_tick) {
  run([] {
    pirn::ticker a(std::chrono::nanoseconds::max()), b(std::chrono::hours::max());
    EXPECT_EQ(pirn::select(pirn::recv(a.channel()), pirn::recv(b.channel()), pirn::recv(pirn::after(2ms))), 2);
  });
}

TEST_P(ticker, its_channel_seems_unbuffered) {
  run([] {
    pirn::ticker t(100us);
    EXPECT_EQ(t.channel().cap(), 0u);
    pirn::sleep_for(1ms);
    EXPECT_EQ(t.channel().len(), 0u);
    EXPECT_EQ(t.channel().try_recv().status, pirn::chan_status::ok);
  });
}

TEST_P(ticker, lives_while_its_channel_does) {
  run([] {
    const auto c = pirn::ticker(200us).channel();
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(c.recv().has_value());
  });
}

// Go: TestMultiWakeupTicker
TEST_P(ticker, gives_each_tick_to_one_of_many_waiters) {
  run([] {
    pirn::ticker t(50us);
    const pirn::chan<pirn::clock::time_point> ticks(16);
    const pirn::chan<void> quit;
    pirn::wait_group wg;
    for (int i = 0; i < 10; ++i) {
      wg.go([&] {
        for (;;) {
          pirn::clock::time_point due;
          if (pirn::select(pirn::recv(t.channel(), due), pirn::recv(quit)) == 1) return;
          if (pirn::select(pirn::send(ticks, due), pirn::recv(quit)) == 1) return;
        }
      });
    }
    std::vector<pirn::clock::time_point> all;
    for (int i = 0; i < scaled(200); ++i) all.push_back(ticks.recv().value());
    quit.close();
    wg.wait();
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end()) << "one tick was received twice";
  });
}

// Go: TestTickerStress, TestTickerParallel's purpose: made, reset, stopped and dropped by many at once.
TEST_P(ticker, many_come_and_go) {
  run([] {
    pirn::wait_group wg;
    for (int g = 0; g < 8; ++g) {
      wg.go([g] {
        for (int i = 0; i < scaled(300); ++i) {
          pirn::ticker t(std::chrono::microseconds(1 + (g + i) % 40));
          if (i % 3 != 0) t.channel().recv();
          if (i % 4 == 0) t.reset(20us);
          if (i % 4 == 0) t.channel().recv();
          if (i % 2 == 0) t.stop();
        }
      });
    }
    wg.wait();
  });
}

TEST_P(ticker, threads_receive_ticks) {
  run([] {
    pirn::ticker t(200us);
    std::thread other([&] {
      for (int i = 0; i < 5; ++i) EXPECT_TRUE(t.channel().recv().has_value());
      t.stop();
    });
    join(other);
  });
}

}  // namespace
