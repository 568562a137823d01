// wait_group: wait() returns when the counter is zero and not before, for goroutines and threads alike.
// Layer: tests of src/sync, through the public headers.
#include <atomic>
#include <limits>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class wait_group : public on_procs {};
PIRN_TEST_ON_PROCS(wait_group);

TEST_P(wait_group, returns_at_once_when_nothing_was_added) {
  run([] {
    pirn::wait_group wg;
    wg.wait();
    wg.wait();
    wg.add(2);
    wg.done();
    wg.add(-1);
    wg.wait();
    wg.add(0);
    wg.wait();
  });
}

TEST_P(wait_group, waits_for_the_last_one) {
  run([] {
    for (int round = 0; round < 20; ++round) {
      pirn::wait_group wg;
      std::atomic<int> ended{0};
      wg.add(10);
      for (int i = 0; i < 10; ++i) {
        pirn::go([&, i] {
          let_others_run(i);
          ++ended;
          wg.done();
        });
      }
      wg.wait();
      EXPECT_EQ(ended, 10);
    }
  });
}

// Go: TestWaitGroup. Two groups as a barrier, eight times over.
TEST_P(wait_group, two_of_them_make_a_barrier) {
  run([] {
    constexpr int k_goroutines = 16;
    pirn::wait_group first, second;
    for (int round = 0; round < 8; ++round) {
      first.add(k_goroutines);
      second.add(k_goroutines);
      const pirn::chan<bool> exited(k_goroutines);
      for (int i = 0; i < k_goroutines; ++i) {
        pirn::go([&, exited] {
          first.done();
          second.wait();
          exited.send(true);
        });
      }
      first.wait();
      for (int i = 0; i < k_goroutines; ++i) {
        EXPECT_EQ(exited.try_recv().status, pirn::chan_status::empty) << "the barrier let one through";
        second.done();
      }
      for (int i = 0; i < k_goroutines; ++i) exited.recv();
    }
  });
}

// Go: TestWaitGroupRace. A wait that returns too early shows in the count.
TEST_P(wait_group, never_returns_early) {
  run([] {
    for (int i = 0; i < scaled(5000); ++i) {
      pirn::wait_group wg;
      int n = 0;
      pirn::mutex m;
      for (int k = 0; k < 2; ++k) {
        wg.add(1);
        pirn::go([&] {
          m.lock();
          ++n;
          m.unlock();
          wg.done();
        });
      }
      wg.wait();
      ASSERT_EQ(n, 2);
    }
  });
}

TEST_P(wait_group, wakes_every_waiter) {
  run([] {
    pirn::wait_group wg, waiters;
    std::atomic<int> woken{0};
    wg.add(1);
    for (int i = 0; i < 50; ++i) {
      waiters.go([&] {
        wg.wait();
        ++woken;
      });
    }
    let_others_run();
    EXPECT_EQ(woken, 0);
    wg.done();
    waiters.wait();
    EXPECT_EQ(woken, 50);
  });
}

TEST_P(wait_group, can_be_used_again) {
  run([] {
    pirn::wait_group wg;
    int n = 0;
    for (int i = 0; i < scaled(2000); ++i) {
      wg.add(1);
      pirn::go([&] {
        ++n;
        wg.done();
      });
      wg.wait();
      ASSERT_EQ(n, i + 1);
    }
  });
}

// Go: TestWaitGroupGo
TEST_P(wait_group, go_adds_runs_and_is_done) {
  run([] {
    pirn::wait_group wg;
    std::atomic<int> ran{0};
    wg.go([&] { ++ran; });
    wg.go([&, p = std::make_unique<int>(2)] { ran += *p; });
    wg.go([&] { wg.go([&] { ran += 10; }); });
    wg.wait();
    EXPECT_EQ(ran, 13);
  });
}

TEST_P(wait_group, go_is_done_after_goexit_too) {
  run([] {
    pirn::wait_group wg;
    for (int i = 0; i < 10; ++i) wg.go([] { pirn::runtime::goexit(); });
    wg.wait();
  });
}

// The function is gone before wait() returns: what it owns and refers to may go next.
TEST_P(wait_group, go_destroys_the_function_before_it_is_done) {
  run([] {
    for (int i = 0; i < scaled(1000); ++i) {
      std::atomic<int> destroyed{0};
      pirn::wait_group wg;
      wg.go([guard = tell_when_destroyed(destroyed)] { pirn::runtime::gosched(); });
      wg.wait();
      ASSERT_EQ(destroyed, 1);
    }
  });
}

// Go: TestWaitGroupMisuse
TEST_P(wait_group, a_negative_counter_throws) {
  run([] {
    const auto expect_negative = [](auto f) {
      try {
        f();
        ADD_FAILURE() << "nothing was thrown";
      } catch (const std::logic_error& e) {
        EXPECT_STREQ(e.what(), "sync: negative WaitGroup counter");
      }
    };
    {
      pirn::wait_group wg;
      expect_negative([&] { wg.done(); });
    }
    {
      pirn::wait_group wg;
      expect_negative([&] { wg.add(-1); });
    }
    {
      pirn::wait_group wg;
      wg.add(1);
      wg.done();
      expect_negative([&] { wg.done(); });
    }
    {
      pirn::wait_group wg;
      wg.add(3);
      expect_negative([&] { wg.add(-4); });
      wg.add(-3);
      wg.wait();
    }
    {
      pirn::wait_group wg;
      expect_negative([&] { wg.add(std::numeric_limits<int>::min()); });
    }
  });
}

TEST_P(wait_group, large_deltas_count) {
  run([] {
    pirn::wait_group wg;
    wg.add(1'000'000);
    auto h = pirn::spawn([&] { wg.wait(); });
    wg.add(-999'999);
    let_others_run();
    EXPECT_FALSE(h.ready());
    wg.done();
    h.get();
  });
}

TEST_P(wait_group, threads_wait_and_are_waited_for) {
  run([] {
    pirn::wait_group work, release;
    release.add(1);
    std::atomic<int> ended{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      work.add(1);
      threads.emplace_back([&] {
        release.wait();
        ++ended;
        work.done();
      });
      work.go([&] {
        release.wait();
        ++ended;
      });
    }
    std::atomic<bool> seen{false};
    std::thread waiter([&] {
      work.wait();
      seen = ended == 8;
    });
    let_others_run();
    EXPECT_EQ(ended, 0);
    release.done();
    work.wait();
    for (auto& t : threads) join(t);
    join(waiter);
    EXPECT_TRUE(seen);
  });
}

TEST(wait_group_outside_a_run, works_between_threads) {
  pirn::wait_group wg;
  wg.add(2);
  std::thread a([&] { wg.done(); }), b([&] { wg.done(); });
  wg.wait();
  a.join();
  b.join();
}

TEST(wait_group_outside_a_run, go_throws_and_counts_nothing) {
  pirn::wait_group wg;
  EXPECT_THROW(wg.go([] {}), std::logic_error);
  wg.wait();
}

// The usual life of one is a stack frame: done() must not touch it once wait() can return.
TEST_P(wait_group, may_be_destroyed_as_soon_as_wait_returns) {
  run([] {
    for (int i = 0; i < scaled(5000); ++i) {
      auto wg = std::make_unique<pirn::wait_group>();
      wg->add(2);
      for (int k = 0; k < 2; ++k) {
        pirn::go([g = wg.get()] { g->done(); });
      }
      wg->wait();
      wg.reset();
    }
  });
}

TEST_P(wait_group, orders_memory) {
  run([] {
    for (int i = 0; i < scaled(1000); ++i) {
      pirn::wait_group wg;
      int plain[4] = {};
      for (int& p : plain) {
        wg.go([&p, i] { p = i; });
      }
      wg.wait();
      for (const int p : plain) ASSERT_EQ(p, i);
    }
  });
}

}  // namespace
