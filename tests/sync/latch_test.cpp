// latch: nobody passes before the count is zero, everybody after.
// Layer: tests of src/sync, through the public headers.
#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class latch : public on_procs {};
PIRN_TEST_ON_PROCS(latch);

TEST_P(latch, opens_at_zero) {
  run([] {
    pirn::latch l(3);
    EXPECT_FALSE(l.try_wait());
    l.count_down();
    l.count_down(0);
    EXPECT_FALSE(l.try_wait());
    auto h = pirn::spawn([&] { l.wait(); });
    let_others_run();
    EXPECT_FALSE(h.ready());
    l.count_down(2);
    EXPECT_TRUE(l.try_wait());
    h.get();
    l.wait();
  });
}

TEST_P(latch, of_zero_is_open) {
  run([] {
    const pirn::latch l(0);
    EXPECT_TRUE(l.try_wait());
    l.wait();
  });
}

TEST_P(latch, holds_everybody_until_the_last_arrives) {
  run([] {
    for (int round = 0; round < scaled(300); ++round) {
      constexpr int k_goroutines = 12;
      pirn::latch l(k_goroutines);
      int plain[k_goroutines] = {};
      pirn::wait_group wg;
      for (int& mine : plain) {
        wg.go([&] {
          mine = 1;
          l.arrive_and_wait();
          for (const int p : plain) ASSERT_EQ(p, 1);
        });
      }
      wg.wait();
    }
  });
}

TEST_P(latch, throws_on_misuse_and_stays_as_it_was) {
  run([] {
    EXPECT_THROW(pirn::latch(-1), std::invalid_argument);
    EXPECT_THROW(pirn::latch(pirn::latch::max() + 1), std::invalid_argument);
    pirn::latch l(2);
    EXPECT_THROW(l.count_down(3), std::logic_error);
    EXPECT_THROW(l.count_down(-1), std::logic_error);
    l.count_down(2);
    EXPECT_TRUE(l.try_wait());
    EXPECT_THROW(l.count_down(), std::logic_error);
    EXPECT_TRUE(l.try_wait());
  });
}

TEST_P(latch, works_between_threads_and_goroutines) {
  run([] {
    pirn::latch arrived(8), open(1);
    std::atomic<int> passed{0};
    std::vector<std::thread> threads;
    pirn::wait_group wg;
    const auto work = [&] {
      arrived.count_down();
      open.wait();
      ++passed;
    };
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back(work);
      wg.go(work);
    }
    arrived.wait();
    EXPECT_EQ(passed, 0);
    open.count_down();
    wg.wait();
    for (auto& t : threads) join(t);
    EXPECT_EQ(passed, 8);
  });
}

TEST(latch_outside_a_run, works_and_outlives_abandoned_waiters) {
  pirn::latch l(1);
  run_and_abandon(2, [&] {
    for (int i = 0; i < 10; ++i) {
      pirn::go([&] { l.wait(); });
    }
    let_others_run();
  });
  std::thread t([&] { l.wait(); });
  l.count_down();
  t.join();
}

// The usual life of one is a stack frame: count_down() must not touch it once wait() can return.
TEST_P(latch, may_be_destroyed_as_soon_as_wait_returns) {
  run([] {
    for (int i = 0; i < scaled(5000); ++i) {
      auto l = std::make_unique<pirn::latch>(2);
      for (int k = 0; k < 2; ++k) {
        pirn::go([p = l.get()] { p->count_down(); });
      }
      l->wait();
      l.reset();
    }
  });
}

}  // namespace
