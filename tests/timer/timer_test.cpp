// timer: fires once, what stop() and reset() say and guarantee (Go 1.23's rules: no stale value after either), and that
// it lives as long as its object or its channel.
// Layer: tests of src/timer, through the public headers.
#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class timer : public on_procs {};
PIRN_TEST_ON_PROCS(timer);

bool fired(const pirn::timer& t) { return t.channel().try_recv().status == pirn::chan_status::ok; }

TEST_P(timer, fires_once) {
  run([] {
    const auto begin = pirn::now();
    pirn::timer t(2ms);
    const auto due = t.channel().recv().value();
    EXPECT_GE(pirn::now() - begin, 2ms);
    EXPECT_GE(due - begin, 2ms);
    pirn::sleep_for(3ms);
    EXPECT_FALSE(fired(t));
  });
}

TEST_P(timer, of_zero_or_less_fires) {
  run([] {
    for (const auto d : {0ns, -1ns, std::chrono::nanoseconds(-1h), std::chrono::nanoseconds::min()}) {
      pirn::timer t(d);
      EXPECT_TRUE(t.channel().recv().has_value());
    }
  });
}

// Go: TestZeroTimer
TEST_P(timer, thousands_of_zero_timers_fire) {
  run([] {
    for (int i = 0; i < scaled(20000); ++i) {
      pirn::timer t(0s);
      pirn::select(pirn::recv(t.channel()));
    }
  });
}

// Go 1.23: to the program the channel has no buffer.
TEST_P(timer, its_channel_seems_unbuffered) {
  run([] {
    pirn::timer t(0s);
    EXPECT_EQ(t.channel().cap(), 0u);
    pirn::sleep_for(2ms);
    EXPECT_EQ(t.channel().len(), 0u);
    EXPECT_TRUE(fired(t));
  });
}

// Go: TestAfterStop
TEST_P(timer, that_is_stopped_does_not_fire) {
  run([] {
    pirn::timer t(2ms);
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.stop()) << "nothing was left to stop";
    pirn::sleep_for(4ms);
    EXPECT_FALSE(fired(t));
    EXPECT_FALSE(t.stop());
  });
}

TEST_P(timer, stop_keeps_a_value_that_nobody_received_from_being_received) {
  run([] {
    pirn::timer t(100us);
    pirn::sleep_for(3ms);
    EXPECT_TRUE(t.stop()) << "it was due, and nobody had received its value";
    EXPECT_FALSE(fired(t)) << "a stale value";
    EXPECT_FALSE(t.stop());
  });
}

TEST_P(timer, stop_after_the_receive_says_so) {
  run([] {
    pirn::timer t(100us);
    t.channel().recv();
    EXPECT_FALSE(t.stop());
  });
}

TEST_P(timer, reset_starts_it_again) {
  run([] {
    pirn::timer t(24h);
    const auto begin = pirn::now();
    EXPECT_TRUE(t.reset(2ms));
    const auto due = t.channel().recv().value();
    EXPECT_GE(due - begin, 2ms);
    EXPECT_FALSE(t.reset(1ms)) << "its value was received";
    EXPECT_TRUE(t.channel().recv().has_value());
    EXPECT_FALSE(t.stop());
    EXPECT_FALSE(t.reset(24h));
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.reset(0s));
    EXPECT_TRUE(t.channel().recv().has_value());
  });
}

TEST_P(timer, reset_throws_the_old_value_away) {
  run([] {
    pirn::timer t(0s);
    pirn::sleep_for(2ms);
    const auto begin = pirn::now();
    EXPECT_TRUE(t.reset(3ms)) << "the old value had not been received";
    const auto due = t.channel().recv().value();
    EXPECT_GE(due - begin, 3ms) << "a stale value";
    EXPECT_GE(pirn::now() - begin, 3ms);
  });
}

TEST_P(timer, reset_to_later_and_to_earlier) {
  run([] {
    for (int i = 0; i < 20; ++i) {
      pirn::timer t(1ms);
      const auto begin = pirn::now();
      t.reset(2ms);
      t.channel().recv();
      EXPECT_GE(pirn::now() - begin, 2ms);
    }
    // Go: TestTimerModifiedEarlier. A timer far off that comes nearer fires then, also while everyone sleeps.
    for (int i = 0; i < 20; ++i) {
      pirn::timer t(24h);
      t.reset(100us);
      t.channel().recv();
    }
    for (int i = 0; i < 20; ++i) {
      pirn::timer t(24h);
      auto waiting = pirn::spawn([&] { return t.channel().recv().has_value(); });
      pirn::sleep_for(200us);
      t.reset(100us);
      EXPECT_TRUE(waiting.get());
    }
  });
}

// Go: TestAdjustTimers. Resets in quick succession lose nothing.
TEST_P(timer, many_resets_lose_nothing) {
  run([] {
    constexpr unsigned k_seed = 77;
    pirn::wait_group wg;
    for (unsigned g = 0; g < 8; ++g) {
      wg.go([g] {
        std::mt19937 random(k_seed + g);
        std::vector<std::unique_ptr<pirn::timer>> timers;
        for (int i = 0; i < 20; ++i) timers.push_back(std::make_unique<pirn::timer>(24h));
        for (int i = 0; i < scaled(3000); ++i) {
          pirn::timer& t = *timers[random() % timers.size()];
          switch (random() % 4) {
            case 0:
              t.stop();
              break;
            case 1:
              t.reset(std::chrono::microseconds(random() % 200));
              break;
            case 2:
              t.reset(24h);
              break;
            default:
              t.channel().try_recv();
              if (random() % 16 == 0) pirn::sleep_for(50us);
          }
        }
        for (auto& t : timers) t->reset(std::chrono::microseconds(random() % 1000));
        for (auto& t : timers) t->channel().recv();
      });
    }
    wg.wait();
  });
}

TEST_P(timer, works_in_a_select) {
  run([] {
    pirn::timer t(1ms);
    const pirn::chan<int> never;
    int v = 0;
    std::optional<pirn::clock::time_point> due;
    EXPECT_EQ(pirn::select(pirn::recv(never, v), pirn::recv(t.channel(), due)), 1);
    EXPECT_TRUE(due.has_value());
    t.reset(24h);
    EXPECT_EQ(pirn::select(pirn::recv(t.channel()), pirn::otherwise), 1);
    EXPECT_TRUE(t.stop());
    // A select over two timers takes the one that is due.
    pirn::timer near(500us), far(24h);
    EXPECT_EQ(pirn::select(pirn::recv(far.channel()), pirn::recv(near.channel())), 1);
  });
}

// Go: TestMultiWakeupTimer. Of many that wait, one receives each value.
TEST_P(timer, wakes_one_of_many_waiters_each_time) {
  run([] {
    pirn::timer t(24h);
    const pirn::chan<void> quit;
    std::atomic<int> received{0};
    pirn::wait_group wg;
    for (int i = 0; i < 20; ++i) {
      wg.go([&] {
        while (pirn::select(pirn::recv(t.channel()), pirn::recv(quit)) == 0) ++received;
      });
    }
    for (int i = 1; i <= 20; ++i) {
      t.reset(100us);
      yield_until([&] { return received == i; });
    }
    quit.close();
    wg.wait();
    EXPECT_EQ(received, 20);
  });
}

TEST_P(timer, stopping_it_leaves_its_waiters_waiting) {
  run([] {
    pirn::timer t(24h);
    auto waiting = pirn::spawn([&] { return t.channel().recv().has_value(); });
    let_others_run();
    EXPECT_TRUE(t.stop());
    let_others_run();
    EXPECT_FALSE(waiting.ready());
    EXPECT_FALSE(t.reset(100us));
    EXPECT_TRUE(waiting.get());
  });
}

TEST_P(timer, lives_while_its_channel_does) {
  run([] {
    for (int i = 0; i < 20; ++i) {
      const auto c = pirn::timer(200us).channel();
      EXPECT_TRUE(c.recv().has_value());
      const auto d = pirn::timer(200us).channel();
      pirn::sleep_for(1ms);
      EXPECT_TRUE(d.recv().has_value());
    }
  });
}

TEST_P(timer, dropped_ones_do_no_harm) {
  run([] {
    for (int i = 0; i < scaled(5000); ++i) {
      pirn::timer never(24h);
      pirn::timer soon(std::chrono::microseconds(i % 50));
      pirn::after(24h);
      pirn::after(std::chrono::microseconds(i % 50));
    }
    pirn::sleep_for(1ms);
  });
}

TEST_P(timer, moves) {
  run([] {
    pirn::timer a(200us);
    pirn::timer b = std::move(a);
    EXPECT_TRUE(b.channel().recv().has_value());
    b.reset(24h);
    pirn::timer c(24h);
    c = std::move(b);
    EXPECT_TRUE(c.stop());
  });
}

// A stop that says true and a value that is received exclude each other, whoever is faster.
TEST_P(timer, stop_and_receive_agree_on_who_was_first) {
  run([] {
    for (int i = 0; i < scaled(2000); ++i) {
      pirn::timer t(std::chrono::microseconds(i % 30));
      const pirn::chan<void> give_up;
      auto receiver = pirn::spawn([&] { return pirn::select(pirn::recv(t.channel()), pirn::recv(give_up)) == 0; });
      if (i % 3 != 0) let_others_run(i % 5);
      const bool stopped = t.stop();
      if (stopped) give_up.close();
      ASSERT_EQ(receiver.get(), !stopped);
    }
  });
}

TEST_P(timer, threads_use_them_too) {
  run([] {
    pirn::timer t(24h);
    std::thread other([&] {
      EXPECT_TRUE(t.reset(300us));
      EXPECT_TRUE(t.channel().recv().has_value());
      EXPECT_FALSE(t.stop());
      pirn::timer mine(200us);
      EXPECT_TRUE(mine.channel().recv().has_value());
      t.reset(1ms);
    });
    join(other);
    EXPECT_TRUE(t.channel().recv().has_value());
  });
}

// A timer that is set while every thread sleeps must wake the one that keeps the time.
TEST_P(timer, an_earlier_one_interrupts_the_wait_for_a_later_one) {
  run([] {
    const auto far = pirn::after(24h);
    for (int i = 0; i < 10; ++i) {
      const pirn::chan<int> c;
      std::thread t([=] { pirn::after_func(200us, [=] { c.send(i); }); });
      EXPECT_EQ(pirn::select(pirn::recv(far), pirn::recv(c)), 1);
      join(t);
    }
  });
}

}  // namespace
