// semaphore: never more out than there are, nobody overtakes who waits, and nobody is forgotten.
// Layer: tests of src/sync, through the public headers.
#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;

class semaphore : public on_procs {};
PIRN_TEST_ON_PROCS(semaphore);

// x/sync: TestWeightedTryAcquire
TEST_P(semaphore, try_acquire_takes_what_is_free) {
  run([] {
    pirn::semaphore s(2);
    s.acquire(1);
    EXPECT_TRUE(s.try_acquire(1));
    EXPECT_FALSE(s.try_acquire(1));
    EXPECT_TRUE(s.try_acquire(0));
    s.release(2);
    EXPECT_TRUE(s.try_acquire(1));
    EXPECT_FALSE(s.try_acquire(2));
    EXPECT_TRUE(s.try_acquire(1));
    s.release(2);
    s.acquire();
    s.release();
  });
}

// x/sync: TestWeightedPanic
TEST_P(semaphore, throws_when_more_is_released_than_held) {
  run([] {
    pirn::semaphore s(3);
    const auto expect_throw = [&](std::ptrdiff_t n) {
      try {
        s.release(n);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const std::logic_error& e) {
        EXPECT_STREQ(e.what(), "semaphore: released more than held");
      }
    };
    expect_throw(1);
    s.acquire(2);
    expect_throw(3);
    // The same while somebody waits.
    auto h = pirn::spawn([&] { s.acquire(2); });
    let_others_run();
    expect_throw(3);
    EXPECT_FALSE(h.ready());
    s.release(2);
    h.get();
    s.release(2);
    EXPECT_TRUE(s.try_acquire(3));
  });
}

TEST_P(semaphore, throws_on_negative_amounts) {
  run([] {
    EXPECT_THROW(pirn::semaphore(-1), std::invalid_argument);
    EXPECT_THROW(pirn::semaphore(pirn::semaphore::max() + 1), std::invalid_argument);
    pirn::semaphore s(1);
    EXPECT_THROW(s.acquire(-1), std::invalid_argument);
    EXPECT_THROW((void)s.try_acquire(-1), std::invalid_argument);
    EXPECT_THROW(s.release(-1), std::invalid_argument);
    pirn::semaphore largest(pirn::semaphore::max());
    largest.acquire(pirn::semaphore::max());
    EXPECT_FALSE(largest.try_acquire());
    largest.release(pirn::semaphore::max());
  });
}

// On one P, where each has parked before the next one asks.
TEST(semaphore_on_one_p, serves_in_the_order_of_asking) {
  run_on(1, [] {
    pirn::semaphore s(1);
    s.acquire();
    const pirn::chan<int> order(20);
    std::vector<pirn::join_handle<void>> waiting;
    for (int i = 0; i < 20; ++i) {
      waiting.push_back(pirn::spawn([&, i, order] {
        s.acquire();
        order.send(i);
        s.release();
      }));
      let_others_run(20);
    }
    s.release();
    for (auto& h : waiting) h.get();
    std::vector<int> got;
    for (int i = 0; i < 20; ++i) got.push_back(*order.recv());
    for (int i = 0; i < 20; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
  });
}

// x/sync: TestLargeAcquireDoesntStarve
TEST_P(semaphore, lets_nobody_pass_a_large_request) {
  run([] {
    pirn::semaphore s(4);
    s.acquire(2);
    auto large = pirn::spawn([&] { s.acquire(3); });
    yield_until([&] { return !s.try_acquire(0); });  // it queues
    EXPECT_FALSE(s.try_acquire(1)) << "two are free, but somebody waits";
    auto small = pirn::spawn([&] { s.acquire(1); });
    let_others_run();
    EXPECT_FALSE(large.ready());
    EXPECT_FALSE(small.ready());
    s.release(1);
    large.get();
    let_others_run();
    EXPECT_FALSE(small.ready());
    s.release(1);
    small.get();
    s.release(4);
    EXPECT_TRUE(s.try_acquire(4));
  });
}

TEST_P(semaphore, is_passed_on_to_many_small_ones_at_once) {
  run([] {
    pirn::semaphore s(10);
    s.acquire(10);
    pirn::wait_group wg;
    for (int i = 0; i < 10; ++i) {
      wg.go([&] { s.acquire(1); });
    }
    let_others_run();
    s.release(10);
    wg.wait();
    EXPECT_FALSE(s.try_acquire(1));
    s.release(10);
  });
}

// x/sync: TestWeightedDoesntBlockIfTooBig
TEST(semaphore_outside_a_run, is_not_blocked_by_who_asks_for_more_than_there_is) {
  for (const int procs : {1, 2, 4}) {
    pirn::semaphore s(2);
    run_and_abandon(procs, [&] {
      auto never = pirn::spawn([&] { s.acquire(3); });
      let_others_run();
      pirn::wait_group wg;
      for (int i = 0; i < 3; ++i) {
        wg.go([&] {
          s.acquire(1);
          pirn::runtime::gosched();
          s.release(1);
        });
      }
      wg.wait();
      EXPECT_FALSE(never.ready());
    });
    EXPECT_TRUE(s.try_acquire(2));
  }
}

// x/sync: TestWeighted, as a hammer
TEST_P(semaphore, never_gives_out_more_than_there_is) {
  run([] {
    constexpr std::ptrdiff_t k_size = 5;
    pirn::semaphore s(k_size);
    std::atomic<std::ptrdiff_t> out{0};
    const auto hammer = [&](unsigned id) {
      auto random = random_for(id);
      for (int i = 0; i < scaled(2000); ++i) {
        const auto n = static_cast<std::ptrdiff_t>(random() % k_size + 1);
        if (random() % 4 != 0) {
          s.acquire(n);
        } else if (!s.try_acquire(n)) {
          continue;
        }
        ASSERT_LE(out.fetch_add(n) + n, k_size);
        if (random() % 3 == 0) pirn::runtime::gosched();
        out.fetch_sub(n);
        s.release(n);
      }
    };
    pirn::wait_group wg;
    std::vector<std::thread> threads;
    for (unsigned g = 0; g < 8; ++g) {
      wg.go([&, g] { hammer(g); });
    }
    for (unsigned g = 0; g < 2; ++g) {
      threads.emplace_back([&, g] {
        auto random = random_for(100 + g);
        for (int i = 0; i < scaled(500); ++i) {
          const auto n = static_cast<std::ptrdiff_t>(random() % k_size + 1);
          s.acquire(n);
          ASSERT_LE(out.fetch_add(n) + n, k_size);
          out.fetch_sub(n);
          s.release(n);
        }
      });
    }
    wg.wait();
    for (auto& t : threads) join(t);
    EXPECT_TRUE(s.try_acquire(k_size));
  });
}

TEST_P(semaphore, orders_memory) {
  run([] {
    pirn::semaphore s(1);
    long plain = 0;
    pirn::wait_group wg;
    for (int g = 0; g < 4; ++g) {
      wg.go([&] {
        for (int i = 0; i < scaled(2000); ++i) {
          s.acquire();
          ++plain;
          s.release();
        }
      });
    }
    wg.wait();
    EXPECT_EQ(plain, 4L * scaled(2000));
  });
}

TEST(semaphore_outside_a_run, works_between_threads) {
  pirn::semaphore s(2);
  std::atomic<int> out{0};
  const auto hammer = [&] {
    for (int i = 0; i < scaled(5000); ++i) {
      s.acquire();
      ASSERT_LE(++out, 2);
      --out;
      s.release();
    }
  };
  std::thread a(hammer), b(hammer), c(hammer);
  a.join();
  b.join();
  c.join();
}

// A large request that was abandoned stands in nobody's way; the thread behind it is served.
TEST(semaphore_outside_a_run, forgets_the_requests_of_a_run_that_ended) {
  for (const int procs : {1, 2, 4}) {
    pirn::semaphore s(4);
    std::thread t;
    std::atomic<bool> served{false};
    s.acquire(3);
    run_and_abandon(procs, [&] {
      pirn::go([&] { s.acquire(4); });
      yield_until([&] { return !s.try_acquire(0); });
      t = std::thread([&] {
        s.acquire(1);
        served = true;
      });
      let_others_run();
      EXPECT_FALSE(served);
    });
    t.join();
    EXPECT_TRUE(served);
    s.release(4);
    EXPECT_TRUE(s.try_acquire(4));
  }
}

// On main's stack, which goes before the run does. On one P they all wait by then.
TEST(semaphore_outside_a_run, may_go_while_abandoned_goroutines_wait_for_it) {
  run_and_abandon(1, [] {
    pirn::semaphore s(1);
    s.acquire();
    for (int i = 0; i < 10; ++i) {
      pirn::go([&] { s.acquire(); });
    }
    let_others_run();
  });
}

// The usual signal that something is done: release() must not touch it once acquire() can return.
TEST_P(semaphore, may_be_destroyed_by_who_acquired_last) {
  run([] {
    for (int i = 0; i < scaled(5000); ++i) {
      auto s = std::make_unique<pirn::semaphore>(2);
      s->acquire(2);
      for (int k = 0; k < 2; ++k) {
        pirn::go([p = s.get()] { p->release(); });
      }
      s->acquire(1);
      s->acquire(1);
      s.reset();
    }
  });
}

}  // namespace
