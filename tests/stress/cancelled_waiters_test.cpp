// Waiters that give up: selects whose time-out comes first and waits whose context ends, from every place in the
// queues, beside waiters that stay. What is sent arrives, and nobody is forgotten. Layer: tests, through the public
// headers.
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <string>
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

// A context that ends soon: by a deadline, by another goroutine; or only with its parent.
pirn::context ending_soon(unsigned random, const pirn::context& parent = pirn::background()) {
  const auto after = std::chrono::microseconds(random / 4 % 40);
  if (random % 4 == 0) return pirn::with_timeout(parent, after).ctx;
  auto [c, cancel] = pirn::with_cancel(parent);
  if (random % 4 == 1) {
    pirn::after_func(after, [cancel = cancel] { cancel(); });
  } else if (random % 4 == 2) {
    pirn::go([cancel = cancel] { cancel(); });
  }
  return c;
}

// Values of a boxed type beside those of a trivial one.
template <class T>
void send_and_receive(T value, const std::function<long(const T&)>& worth) {
  const pirn::chan<T> c(0), d(1);
  std::atomic<long> sent{0}, received{0};
  pirn::wait_group senders, receivers;
  const auto [quit, end] = pirn::with_cancel(pirn::background());
  for (unsigned g = 0; g < 4; ++g) {
    senders.go([&, g] {
      auto random = random_for(g);
      for (int i = 0; i < scaled(1000); ++i) {
        const auto& one = random() % 2 == 0 ? c : d;
        T mine = value;
        if (!one.send(ending_soon(random()), std::move(mine))) {
          sent += worth(value);
        } else {
          EXPECT_EQ(worth(mine), worth(value)) << "moved from";  // NOLINT(bugprone-use-after-move)
        }
      }
    });
  }
  for (unsigned g = 0; g < 4; ++g) {
    receivers.go([&, g, quit = quit] {
      auto random = random_for(100 + g);
      const auto& one = g % 2 == 0 ? c : d;  // somebody always receives
      while (!quit.err()) {
        std::optional<T> v;
        if (g < 2) {
          (void)one.recv(quit, v);
        } else {
          (void)one.recv(ending_soon(random(), quit), v);
        }
        if (v) received += worth(*v);
      }
    });
  }
  senders.wait();
  yield_until([&] { return received == sent; });
  end();
  receivers.wait();
  EXPECT_EQ(received, sent);
  EXPECT_FALSE(c.try_recv());
  EXPECT_FALSE(d.try_recv());
}

TEST_P(cancelled_waiters, with_contexts_lose_no_value) {
  run([] {
    send_and_receive<int>(1, [](const int& v) { return long{v}; });
    send_and_receive<std::string>(std::string(40, 'x'),
                                  [](const std::string& s) { return static_cast<long>(s.size()); });
  });
}

// Everything that is locked or counted, by those who stay and those who give up, goroutines and threads.
TEST_P(cancelled_waiters, with_contexts_lose_no_lock_and_no_unit) {
  run([] {
    pirn::mutex mu;
    pirn::shared_mutex sm;
    pirn::semaphore sem(3);
    long under_mutex = 0, counted = 0, under_shared = 0, written = 0;
    std::atomic<long> got_mutex{0}, got_shared{0}, out{0};
    const auto work = [&](unsigned id, int steps) {
      auto random = random_for(id);
      for (int i = 0; i < steps; ++i) {
        const pirn::context c = ending_soon(id % 3 == 0 ? 3 : random());
        switch (random() % 4) {
          case 0:
            if (mu.lock(c)) break;
            ++under_mutex;
            ++got_mutex;
            if (random() % 8 == 0) pirn::runtime::gosched();
            mu.unlock();
            break;
          case 1:
            if (sm.lock(c)) break;
            ++under_shared;
            ++got_shared;
            if (random() % 8 == 0) pirn::runtime::gosched();
            sm.unlock();
            break;
          case 2:
            if (sm.lock_shared(c)) break;
            if (random() % 8 == 0) pirn::runtime::gosched();
            sm.unlock_shared();
            break;
          default: {
            const auto n = static_cast<std::ptrdiff_t>(random() % 3 + 1);
            if (sem.acquire(c, n)) break;
            EXPECT_LE(out.fetch_add(n) + n, 3);
            if (random() % 8 == 0) pirn::runtime::gosched();
            out.fetch_sub(n);
            sem.release(n);
          }
        }
      }
    };
    pirn::wait_group wg;
    std::vector<std::thread> threads;
    for (unsigned g = 0; g < 9; ++g) {
      wg.go([&, g] { work(g, scaled(1500)); });
    }
    for (unsigned g = 0; g < 2; ++g) threads.emplace_back([&, g] { work(100 + g, scaled(300)); });
    wg.wait();
    for (auto& t : threads) join(t);
    counted = got_mutex;
    written = got_shared;
    EXPECT_EQ(under_mutex, counted);
    EXPECT_EQ(under_shared, written);
    EXPECT_TRUE(mu.try_lock());
    EXPECT_TRUE(sm.try_lock());
    EXPECT_TRUE(sem.try_acquire(3));
    mu.unlock();
    sm.unlock();
  });
}

// Ends that come while somebody gives up waiting for them.
TEST_P(cancelled_waiters, with_contexts_are_woken_by_one) {
  run([] {
    auto random = random_for(0);
    for (int i = 0; i < scaled(1000); ++i) {
      pirn::wait_group group;
      group.add(1);
      pirn::mutex mu;
      pirn::condition_variable cv;
      bool set = false;
      pirn::barrier<> phase(2);
      auto ended = pirn::spawn([] { pirn::runtime::gosched(); });
      pirn::wait_group waiters;
      std::atomic<int> notified{0};
      for (int k = 0; k < 3; ++k) {
        const unsigned chance = random();
        waiters.go([&, chance] {
          if (!group.wait(ending_soon(chance))) {
            EXPECT_FALSE(group.wait(pirn::with_cancel(pirn::background()).ctx));
          }
        });
        waiters.go([&, chance] {
          std::unique_lock lock(mu);
          if (!cv.wait(ending_soon(chance), lock, [&] { return set; })) ++notified;
        });
      }
      const unsigned chance = random();
      waiters.go([&, chance] {
        auto token = phase.arrive();
        if (phase.wait(ending_soon(chance), token)) phase.wait(std::move(token));
      });
      waiters.go([&, chance] {
        if (ended.join(ending_soon(chance))) ended.join();
        EXPECT_TRUE(ended.ready());
      });
      for (unsigned k = random() % 4; k > 0; --k) pirn::runtime::gosched();
      group.done();
      {
        const std::lock_guard lock(mu);
        set = true;
      }
      cv.notify_all();
      phase.arrive_and_wait();
      waiters.wait();
    }
  });
}

// A notification of one that gives up at the same time is not lost: another has it.
TEST_P(cancelled_waiters, with_contexts_pass_a_notification_on) {
  run([] {
    auto random = random_for(1);
    pirn::mutex mu;
    pirn::condition_variable cv;
    for (int i = 0; i < scaled(1000); ++i) {
      pirn::wait_group wg;
      int tokens = 0, taken = 0;
      for (int k = 0; k < 2; ++k) {
        const unsigned chance = random();
        wg.go([&, k, chance] {
          std::unique_lock lock(mu);
          if (cv.wait(ending_soon(k == 0 ? 3 : chance), lock, [&] { return tokens > 0; })) return;
          --tokens;
          ++taken;
        });
      }
      pirn::runtime::gosched();
      // One for the patient one, one for the other if he still waits.
      for (int k = 0; k < 2; ++k) {
        {
          const std::lock_guard lock(mu);
          ++tokens;
        }
        cv.notify_one();
      }
      wg.wait();
      EXPECT_EQ(tokens + taken, 2);
    }
  });
}

TEST_P(cancelled_waiters, that_sleep_wake_once) {
  run([] {
    pirn::wait_group wg;
    for (unsigned g = 0; g < 8; ++g) {
      wg.go([g] {
        auto random = random_for(g);
        for (int i = 0; i < scaled(1000); ++i) {
          const auto d = std::chrono::microseconds(random() % 40);
          const auto begin = pirn::now();
          if (pirn::sleep_for(ending_soon(random()), d)) continue;
          EXPECT_GE(pirn::now() - begin, d);
        }
      });
    }
    wg.wait();
  });
}

}  // namespace
