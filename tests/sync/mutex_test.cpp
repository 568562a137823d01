// mutex: one holder at a time, whoever they are, and nobody waits for ever. Unlocking what is not locked ends the
// process; tests/death checks that.
// Layer: tests of src/sync, through the public headers.
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class mutex : public on_procs {};
PIRN_TEST_ON_PROCS(mutex);

TEST_P(mutex, is_lockable) {
  run([] {
    pirn::mutex a, b;
    { std::lock_guard hold(a); }
    { std::scoped_lock hold(a, b); }
    {
      std::unique_lock hold(a, std::defer_lock);
      EXPECT_TRUE(hold.try_lock());
      hold.unlock();
      hold.lock();
    }
    std::lock(a, b);
    a.unlock();
    b.unlock();
    EXPECT_EQ(std::try_lock(a, b), -1);
    a.unlock();
    b.unlock();
  });
}

// Go: TestMutex, its TryLock part
TEST_P(mutex, try_lock_fails_while_it_is_locked) {
  run([] {
    pirn::mutex m;
    m.lock();
    EXPECT_FALSE(m.try_lock());
    EXPECT_FALSE(pirn::spawn([&] { return m.try_lock(); }).get());
    m.unlock();
    EXPECT_TRUE(m.try_lock());
    EXPECT_FALSE(m.try_lock());
    m.unlock();
  });
}

// Go: HammerMutex in TestMutex
TEST_P(mutex, lets_one_in_at_a_time) {
  run([] {
    constexpr int k_goroutines = 10;
    const int each = scaled(1000);
    pirn::mutex m;
    long counter = 0;
    int inside = 0;
    pirn::wait_group wg;
    for (int g = 0; g < k_goroutines; ++g) {
      wg.go([&] {
        for (int i = 0; i < each; ++i) {
          if (i % 3 == 0) {
            if (m.try_lock()) m.unlock();
            m.lock();
          } else {
            m.lock();
          }
          ASSERT_EQ(++inside, 1);
          ++counter;
          if (i % 16 == 0) pirn::runtime::gosched();
          --inside;
          m.unlock();
        }
      });
    }
    wg.wait();
    EXPECT_EQ(counter, static_cast<long>(k_goroutines) * each);
  });
}

TEST_P(mutex, parks_the_goroutine_and_not_the_thread) {
  run([] {
    pirn::mutex m;
    m.lock();
    std::vector<pirn::join_handle<void>> waiting;
    for (int i = 0; i < 20; ++i) {
      waiting.push_back(pirn::spawn([&] { std::scoped_lock hold(m); }));
    }
    for (int i = 0; i < 20; ++i) EXPECT_EQ(pirn::spawn([i] { return i; }).get(), i);
    for (auto& h : waiting) EXPECT_FALSE(h.ready());
    m.unlock();
    for (auto& h : waiting) h.get();
  });
}

TEST_P(mutex, may_be_held_across_a_park) {
  run([] {
    pirn::mutex m;
    const pirn::chan<int> c;
    auto holder = pirn::spawn([&] {
      std::scoped_lock hold(m);
      return c.recv().value();
    });
    let_others_run();
    auto second = pirn::spawn([&] {
      std::scoped_lock hold(m);
      return 2;
    });
    c.send(1);
    EXPECT_EQ(holder.get(), 1);
    EXPECT_EQ(second.get(), 2);
  });
}

// Go: "a locked Mutex is not associated with a particular goroutine"
TEST_P(mutex, may_be_unlocked_by_another_goroutine) {
  run([] {
    pirn::mutex m;
    m.lock();
    auto waiter = pirn::spawn([&] {
      m.lock();
      return 1;
    });
    let_others_run();
    pirn::spawn([&] { m.unlock(); }).get();
    EXPECT_EQ(waiter.get(), 1);
    m.unlock();
  });
}

// Go: TestMutexFairness. One goroutine holds the mutex nearly all the time; the other gets it all the same.
TEST_P(mutex, starves_nobody) {
  run([] {
    pirn::mutex m;
    std::atomic<bool> stop{false};
    auto greedy = pirn::spawn([&] {
      while (!stop) {
        std::scoped_lock hold(m);
        pirn::sleep_for(100us);
      }
    });
    for (int i = 0; i < 10; ++i) {
      pirn::sleep_for(100us);
      std::scoped_lock hold(m);
    }
    stop = true;
    greedy.get();
  });
}

TEST_P(mutex, starves_nobody_among_many_that_never_let_go_for_long) {
  run([] {
    constexpr std::size_t k_goroutines = 8;
    pirn::mutex m;
    std::atomic<bool> stop{false};
    std::vector<std::atomic<int>> times(k_goroutines);
    pirn::wait_group wg;
    for (auto& t : times) {
      wg.go([&] {
        while (!stop) {
          m.lock();
          pirn::runtime::gosched();
          m.unlock();
          ++t;
        }
      });
    }
    for (auto& t : times) yield_until([&] { return t >= 20; });
    stop = true;
    wg.wait();
  });
}

TEST_P(mutex, threads_and_goroutines_exclude_each_other) {
  run([] {
    const int each = scaled(2000);
    pirn::mutex m;
    long counter = 0;
    const auto hammer = [&] {
      for (int i = 0; i < each; ++i) {
        std::scoped_lock hold(m);
        ++counter;
      }
    };
    pirn::wait_group wg;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      wg.go(hammer);
      threads.emplace_back(hammer);
    }
    wg.wait();
    for (auto& t : threads) join(t);
    EXPECT_EQ(counter, 6L * each);
  });
}

TEST_P(mutex, a_thread_holds_it_while_goroutines_wait_and_the_other_way_round) {
  run([] {
    pirn::mutex m;
    std::atomic<bool> locked{false}, let_go{false};
    std::thread holder([&] {
      m.lock();
      locked = true;
      spin_until([&] { return let_go.load(); });
      m.unlock();
    });
    yield_until([&] { return locked.load(); });
    EXPECT_FALSE(m.try_lock());
    auto waiting = pirn::spawn([&] {
      std::scoped_lock hold(m);
      return 1;
    });
    let_others_run();
    EXPECT_FALSE(waiting.ready());
    let_go = true;
    EXPECT_EQ(waiting.get(), 1);
    join(holder);

    m.lock();
    std::atomic<int> got{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        std::scoped_lock hold(m);
        ++got;
      });
    }
    let_others_run();
    EXPECT_EQ(got, 0);
    m.unlock();
    for (auto& t : threads) join(t);
    EXPECT_EQ(got, 3);
  });
}

TEST(mutex_outside_a_run, works_between_threads) {
  pirn::mutex m;
  long counter = 0;
  const auto hammer = [&] {
    for (int i = 0; i < scaled(10000); ++i) {
      std::scoped_lock hold(m);
      ++counter;
    }
  };
  std::thread a(hammer), b(hammer);
  a.join();
  b.join();
  EXPECT_EQ(counter, 2L * scaled(10000));
}

TEST(mutex_outside_a_run, may_stay_locked_from_one_run_to_the_next) {
  pirn::mutex m;
  run_on(1, [&] { m.lock(); });
  run_on(2, [&] {
    EXPECT_FALSE(m.try_lock());
    auto waiting = pirn::spawn([&] {
      std::scoped_lock hold(m);
      return 1;
    });
    let_others_run();
    m.unlock();
    EXPECT_EQ(waiting.get(), 1);
  });
}

TEST_P(mutex, two_locked_in_opposite_orders_by_scoped_lock_do_not_deadlock) {
  run([] {
    pirn::mutex a, b;
    long counter = 0;
    pirn::wait_group wg;
    for (int g = 0; g < 4; ++g) {
      wg.go([&, g] {
        for (int i = 0; i < scaled(1000); ++i) {
          if (g % 2 == 0) {
            std::scoped_lock hold(a, b);
            ++counter;
          } else {
            std::scoped_lock hold(b, a);
            ++counter;
          }
        }
      });
    }
    wg.wait();
    EXPECT_EQ(counter, 4L * scaled(1000));
  });
}

// unlock() lets go for good: the next holder may destroy the mutex.
TEST_P(mutex, may_be_destroyed_by_its_last_holder) {
  run([] {
    struct shared_thing {
      pirn::mutex m;
      int owners = 3;
    };
    for (int i = 0; i < scaled(3000); ++i) {
      auto* thing = new shared_thing;
      pirn::wait_group wg;
      for (int k = 0; k < 3; ++k) {
        wg.go([thing] {
          thing->m.lock();
          const bool last = --thing->owners == 0;
          thing->m.unlock();
          if (last) delete thing;
        });
      }
      wg.wait();
    }
  });
}

TEST_P(mutex, many_work_side_by_side) {
  run([] {
    constexpr std::size_t k_mutexes = 100;
    struct cell {
      pirn::mutex m;
      long value = 0;
    };
    std::vector<cell> cells(k_mutexes);
    pirn::wait_group wg;
    const int each = scaled(5000);
    for (std::size_t g = 0; g < 8; ++g) {
      wg.go([&, g] {
        for (std::size_t i = 0; i < static_cast<std::size_t>(each); ++i) {
          cell& c = cells[(i * 31 + g * 17) % k_mutexes];
          std::scoped_lock hold(c.m);
          if (i % 64 == 0) pirn::runtime::gosched();
          ++c.value;
        }
      });
    }
    wg.wait();
    long sum = 0;
    for (const cell& c : cells) sum += c.value;
    EXPECT_EQ(sum, 8L * each);
  });
}

}  // namespace
