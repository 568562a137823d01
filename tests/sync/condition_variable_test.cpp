// condition_variable: no wake-up is lost, none comes twice, and a deadline ends the wait of one only.
// Layer: tests of src/sync, through the public headers.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;
using lock_type = std::unique_lock<pirn::mutex>;

class condition_variable : public on_procs {};
PIRN_TEST_ON_PROCS(condition_variable);

// Go: TestCondSignal
TEST_P(condition_variable, notify_one_wakes_exactly_one) {
  run([] {
    constexpr int k_waiters = 10;
    pirn::mutex m;
    pirn::condition_variable cv;
    int waiting = 0, awake = 0;
    pirn::wait_group wg;
    for (int i = 0; i < k_waiters; ++i) {
      wg.go([&] {
        lock_type lock(m);
        ++waiting;
        cv.wait(lock);
        ++awake;
      });
    }
    const auto locked = [&](auto f) {
      const std::scoped_lock hold(m);
      return f();
    };
    yield_until([&] { return locked([&] { return waiting == k_waiters; }); });
    for (int n = 1; n <= k_waiters; ++n) {
      let_others_run(20);
      EXPECT_EQ(locked([&] { return awake; }), n - 1);
      cv.notify_one();
      yield_until([&] { return locked([&] { return awake == n; }); });
    }
    cv.notify_one();
    wg.wait();
  });
}

// Go: TestCondSignalGenerations, as first come, first served
TEST_P(condition_variable, wakes_in_the_order_of_waiting) {
  run([] {
    constexpr int k_waiters = 50;
    pirn::mutex m;
    pirn::condition_variable cv;
    int waiting = 0;
    const pirn::chan<int> order(k_waiters);
    pirn::wait_group wg;
    for (int i = 0; i < k_waiters; ++i) {
      wg.go([&, i] {
        lock_type lock(m);
        cv.wait(lock, [&, first = true]() mutable {
          if (first) {
            EXPECT_EQ(waiting++, i);
            first = false;
            return false;
          }
          return true;
        });
        lock.unlock();
        order.send(i);
      });
      yield_until([&] {
        const std::scoped_lock hold(m);
        return waiting == i + 1;
      });
    }
    for (int i = 0; i < k_waiters; ++i) {
      cv.notify_one();
      EXPECT_EQ(order.recv(), i);
    }
    wg.wait();
  });
}

// Go: TestCondBroadcast
TEST_P(condition_variable, notify_all_wakes_all_and_none_twice) {
  run([] {
    constexpr int k_waiters = 200;
    pirn::mutex m;
    pirn::condition_variable cv;
    std::vector<int> woken(k_waiters);
    int waiting = 0;
    bool stop = false;
    pirn::wait_group wg;
    for (int& mine : woken) {
      wg.go([&] {
        lock_type lock(m);
        while (!stop) {
          ++waiting;
          cv.wait(lock);
          ++mine;
        }
      });
    }
    for (int round = 1; round <= 5; ++round) {
      yield_until([&] {
        const std::scoped_lock hold(m);
        return waiting == k_waiters;
      });
      {
        const std::scoped_lock hold(m);
        for (const int w : woken) ASSERT_EQ(w, round - 1);
        waiting = 0;
        stop = round == 5;
        cv.notify_all();
      }
    }
    wg.wait();
    for (const int w : woken) EXPECT_EQ(w, 5);
  });
}

TEST_P(condition_variable, notifying_nobody_is_not_kept) {
  run([] {
    pirn::mutex m;
    pirn::condition_variable cv;
    cv.notify_one();
    cv.notify_all();
    lock_type lock(m);
    EXPECT_EQ(cv.wait_for(lock, 1ms), std::cv_status::timeout);
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_FALSE(m.try_lock());
  });
}

TEST_P(condition_variable, a_deadline_ends_the_wait_and_not_early) {
  run([] {
    pirn::mutex m;
    pirn::condition_variable cv;
    lock_type lock(m);
    for (const auto d : {0us, 50us, 1000us}) {
      const auto deadline = pirn::now() + d;
      EXPECT_EQ(cv.wait_until(lock, deadline), std::cv_status::timeout);
      EXPECT_GE(pirn::now(), deadline);
      ASSERT_TRUE(lock.owns_lock());
    }
    EXPECT_EQ(cv.wait_for(lock, -1s), std::cv_status::timeout);
    EXPECT_EQ(cv.wait_until(lock, std::chrono::system_clock::now() - 1h), std::cv_status::timeout);
    EXPECT_EQ(cv.wait_until(lock, std::chrono::steady_clock::now() + 100us), std::cv_status::timeout);
    EXPECT_FALSE(cv.wait_for(lock, 100us, [] { return false; }));
    EXPECT_TRUE(cv.wait_for(lock, 0us, [] { return true; }));
    EXPECT_FALSE(cv.wait_until(lock, pirn::now() + 100us, [] { return false; }));
  });
}

TEST_P(condition_variable, a_notification_comes_before_a_far_deadline) {
  run([] {
    pirn::mutex m;
    pirn::condition_variable cv;
    bool go = false;
    const auto waits = [&](auto wait) {
      go = false;
      auto h = pirn::spawn([&] {
        lock_type lock(m);
        wait(lock);
      });
      let_others_run();
      {
        const std::scoped_lock hold(m);
        go = true;
      }
      cv.notify_one();
      h.get();
    };
    waits([&](lock_type& l) { EXPECT_TRUE(cv.wait_for(l, 24h, [&] { return go; })); });
    waits([&](lock_type& l) {
      while (!go) EXPECT_EQ(cv.wait_for(l, std::chrono::hours::max()), std::cv_status::no_timeout);
    });
    waits([&](lock_type& l) {
      while (!go) EXPECT_EQ(cv.wait_until(l, pirn::time_point::max()), std::cv_status::no_timeout);
    });
  });
}

TEST_P(condition_variable, waiting_without_the_mutex_throws) {
  run([] {
    pirn::mutex m;
    pirn::condition_variable cv;
    lock_type none, unlocked(m, std::defer_lock);
    EXPECT_THROW(cv.wait(none), std::system_error);
    EXPECT_THROW(cv.wait(unlocked), std::system_error);
    EXPECT_THROW(cv.wait_for(unlocked, 1ms), std::system_error);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

// A bounded buffer, where a lost wake-up is a hang. Producers and consumers of every kind.
TEST_P(condition_variable, carries_a_bounded_buffer) {
  run([] {
    pirn::mutex m;
    pirn::condition_variable not_full, not_empty;
    std::deque<int> buffer;
    const int each = scaled(3000);
    long sum = 0;
    const auto produce = [&](unsigned id) {
      auto random = random_for(id);
      for (int i = 1; i <= each; ++i) {
        lock_type lock(m);
        if (random() % 2 == 0) {
          not_full.wait(lock, [&] { return buffer.size() < 3; });
        } else {
          while (
              !not_full.wait_for(lock, std::chrono::microseconds(random() % 50), [&] { return buffer.size() < 3; })) {
          }
        }
        buffer.push_back(i);
        if (random() % 2 == 0) lock.unlock();
        not_empty.notify_one();
      }
    };
    const auto consume = [&](unsigned id) {
      auto random = random_for(id);
      for (int i = 1; i <= each; ++i) {
        lock_type lock(m);
        if (random() % 2 == 0) {
          not_empty.wait(lock, [&] { return !buffer.empty(); });
        } else {
          while (!not_empty.wait_for(lock, std::chrono::microseconds(random() % 50), [&] { return !buffer.empty(); })) {
          }
        }
        sum += buffer.front();
        buffer.pop_front();
        not_full.notify_one();
      }
    };
    pirn::wait_group wg;
    std::vector<std::thread> threads;
    for (unsigned g = 0; g < 3; ++g) {
      wg.go([&, g] { produce(g); });
      wg.go([&, g] { consume(10 + g); });
    }
    threads.emplace_back([&] { produce(20); });
    threads.emplace_back([&] { consume(21); });
    wg.wait();
    for (auto& t : threads) join(t);
    EXPECT_EQ(sum, 4L * each * (each + 1) / 2);
  });
}

// Deadlines and notifications at the same instants: a notification that a deadline beat goes to somebody else.
TEST_P(condition_variable, no_notification_is_lost_to_a_deadline) {
  run([] {
    pirn::mutex m;
    pirn::condition_variable cv;
    long tokens = 0, taken = 0;
    const int total = scaled(4000);
    pirn::wait_group wg;
    for (unsigned g = 0; g < 4; ++g) {
      wg.go([&, g] {
        auto random = random_for(g);
        lock_type lock(m);
        while (taken < total) {
          if (tokens > 0) {
            --tokens;
            if (++taken == total) cv.notify_all();
          } else if (g == 0) {
            cv.wait(lock);  // this one depends on every notification
          } else {
            cv.wait_for(lock, std::chrono::microseconds(random() % 4));
          }
        }
      });
    }
    for (int i = 0; i < total; ++i) {
      {
        const std::scoped_lock hold(m);
        ++tokens;
      }
      cv.notify_one();
      if (i % 8 == 0) pirn::runtime::gosched();
    }
    wg.wait();
    EXPECT_EQ(taken, total);
  });
}

TEST_P(condition_variable, threads_and_goroutines_wake_each_other) {
  run([] {
    pirn::mutex m;
    pirn::condition_variable cv;
    int turn = 0;
    const int rounds = scaled(500);
    const auto play = [&](int me) {
      for (int i = 0; i < rounds; ++i) {
        lock_type lock(m);
        cv.wait(lock, [&] { return turn % 3 == me; });
        ++turn;
        cv.notify_all();
      }
    };
    std::thread a([&] { play(0); }), b([&] { play(1); });
    play(2);
    join(a);
    join(b);
    EXPECT_EQ(turn, 3 * rounds);
  });
}

TEST_P(condition_variable, parks_the_goroutine_and_not_the_thread) {
  run([] {
    pirn::mutex m;
    pirn::condition_variable cv;
    bool go = false;
    pirn::wait_group wg;
    for (int i = 0; i < 20; ++i) {
      wg.go([&] {
        lock_type lock(m);
        cv.wait(lock, [&] { return go; });
      });
    }
    for (int i = 0; i < 20; ++i) EXPECT_EQ(pirn::spawn([i] { return i; }).get(), i);
    lock_type lock(m);
    go = true;
    lock.unlock();
    cv.notify_all();
    wg.wait();
  });
}

TEST(condition_variable_outside_a_run, works_between_threads) {
  pirn::mutex m;
  pirn::condition_variable cv;
  int turn = 0;
  const auto play = [&](int me) {
    for (int i = 0; i < scaled(300); ++i) {
      lock_type lock(m);
      while (turn % 2 != me) cv.wait_for(lock, 10ms);
      ++turn;
      cv.notify_one();
    }
  };
  std::thread a([&] { play(0); }), b([&] { play(1); });
  a.join();
  b.join();
  EXPECT_EQ(turn, 2 * scaled(300));
  lock_type lock(m);
  EXPECT_EQ(cv.wait_for(lock, 1ms), std::cv_status::timeout);
}

TEST(condition_variable_outside_a_run, forgets_who_was_abandoned) {
  for (const int procs : {1, 2, 4}) {
    pirn::mutex m;
    pirn::condition_variable cv;
    int waiting = 0;
    run_and_abandon(procs, [&] {
      for (int i = 0; i < 10; ++i) {
        pirn::go([&, i] {
          lock_type lock(m);
          ++waiting;
          if (i % 2 == 0) {
            cv.wait(lock);
          } else {
            cv.wait_for(lock, 24h);
          }
        });
      }
      yield_until([&] {
        const std::scoped_lock hold(m);
        return waiting == 10;
      });
    });
    bool go = false;
    std::thread t([&] {
      lock_type lock(m);
      cv.wait(lock, [&] { return go; });
    });
    {
      const std::scoped_lock hold(m);
      go = true;
    }
    cv.notify_one();
    t.join();
    cv.notify_all();
  }
}

// The lock is not owned while its owner waits, so unwinding must not unlock it.
TEST(condition_variable_outside_a_run, lets_its_waiters_be_unwound) {
  for (const int procs : {1, 2, 4}) {
    std::atomic<int> destroyed{0};
    pirn::mutex m;
    pirn::condition_variable cv;
    int waiting = 0;
    pirn::config c = with_procs(procs);
    c.at_exit = pirn::at_exit::unwind;
    pirn::run(c, [&] {
      for (int i = 0; i < 10; ++i) {
        pirn::go([&, i] {
          const tell_when_destroyed guard(destroyed);
          lock_type lock(m);
          ++waiting;
          if (i % 2 == 0) {
            cv.wait(lock);
          } else {
            cv.wait_for(lock, 24h);
          }
        });
      }
      yield_until([&] {
        const std::scoped_lock hold(m);
        return waiting == 10;
      });
    });
    EXPECT_EQ(destroyed, 10);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  }
}

// As the standard has it: it may go once all were notified, before they have returned.
TEST_P(condition_variable, may_be_destroyed_once_all_are_notified) {
  run([] {
    for (int i = 0; i < scaled(2000); ++i) {
      pirn::mutex m;
      auto cv = std::make_unique<pirn::condition_variable>();
      int waiting = 0;
      pirn::wait_group wg;
      for (int k = 0; k < 2; ++k) {
        wg.go([&, k] {
          lock_type lock(m);
          ++waiting;
          if (k == 0) {
            cv->wait(lock);
          } else {
            cv->wait_for(lock, 24h);
          }
        });
      }
      yield_until([&] {
        const std::scoped_lock hold(m);
        return waiting == 2;
      });
      {
        const std::scoped_lock hold(m);
        cv->notify_all();
      }
      cv.reset();
      wg.wait();
    }
  });
}

}  // namespace
