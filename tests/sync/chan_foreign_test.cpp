// Channels and select on threads that are no goroutines: they block the thread, and mix with goroutines on one channel.
// Layer: tests of src/sync, through the public headers.
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class chan_foreign : public on_procs {};
PIRN_TEST_ON_PROCS(chan_foreign);

TEST_P(chan_foreign, a_thread_sends_to_a_goroutine) {
  run([] {
    for (const int cap : {0, 1, 10}) {
      pirn::chan<int> c(cap);
      std::thread t([c] {
        for (int i = 0; i < scaled(1000); ++i) c.send(i);
        c.close();
      });
      int next = 0;
      for (int v : c) ASSERT_EQ(v, next++);
      EXPECT_EQ(next, scaled(1000));
      join(t);
    }
  });
}

TEST_P(chan_foreign, a_goroutine_sends_to_a_thread) {
  run([] {
    for (const int cap : {0, 1, 10}) {
      pirn::chan<int> c(cap);
      int next = 0;
      std::thread t([&] {
        for (int v : c) {
          if (v != next++) ADD_FAILURE() << v;
        }
      });
      for (int i = 0; i < scaled(1000); ++i) c.send(i);
      c.close();
      join(t);
      EXPECT_EQ(next, scaled(1000));
    }
  });
}

TEST_P(chan_foreign, threads_and_goroutines_play_ping_pong) {
  run([] {
    pirn::chan<int> ping, pong;
    std::thread t([=] {
      for (int v : ping) pong.send(v + 1);
      pong.close();
    });
    for (int i = 0; i < scaled(2000); ++i) {
      ping.send(i);
      ASSERT_EQ(pong.recv(), i + 1);
    }
    ping.close();
    EXPECT_EQ(pong.recv(), std::nullopt);
    join(t);
  });
}

TEST_P(chan_foreign, threads_talk_to_each_other) {
  run([] {
    pirn::chan<int> c;
    int sum = 0;
    std::thread receiver([&] {
      for (int v : c) sum += v;
    });
    std::thread sender([&] {
      for (int i = 0; i < 500; ++i) c.send(1);
      c.close();
    });
    join(receiver);
    join(sender);
    EXPECT_EQ(sum, 500);
  });
}

// A channel is of no run: it works while none is under way.
TEST(chan_outside_a_run, works_between_threads) {
  for (const int cap : {0, 3}) {
    pirn::chan<std::unique_ptr<int>> c(cap);
    int sum = 0;
    std::thread receiver([&] {
      for (const auto& p : c) sum += *p;
    });
    for (int i = 0; i < 100; ++i) c.send(std::make_unique<int>(1));
    c.close();
    receiver.join();
    EXPECT_EQ(sum, 100);
    EXPECT_THROW(c.close(), pirn::closed_channel);
    EXPECT_EQ(c.try_recv().status, pirn::chan_status::closed);
  }
}

TEST(chan_outside_a_run, carries_values_into_it) {
  pirn::chan<int> in(2), out(2);
  in.send(1);
  in.send(2);
  run_on(2, [&] {
    out.send(in.recv().value() * 10);
    out.send(in.recv().value() * 10);
  });
  EXPECT_EQ(out.recv(), 10);
  EXPECT_EQ(out.recv(), 20);
}

TEST(chan_outside_a_run, a_thread_may_wait_across_the_start_of_a_run) {
  pirn::chan<int> c, back;
  std::thread t([&] { back.send(c.recv().value() + 1); });
  run_on(2, [&] {
    c.send(4);
    EXPECT_EQ(back.recv(), 5);
  });
  t.join();
}

TEST(chan_outside_a_run, a_thread_may_wait_across_the_end_of_a_run) {
  pirn::chan<int> c;
  int got = 0;
  std::thread t;
  run_on(2, [&] {
    std::atomic<bool> started{false};
    t = std::thread([&] {
      started = true;
      got = c.recv().value();
    });
    yield_until([&] { return started.load(); });
  });
  c.send(6);
  t.join();
  EXPECT_EQ(got, 6);
}

TEST_P(chan_foreign, close_wakes_waiting_threads) {
  run([] {
    for (const int cap : {0, 1}) {
      pirn::chan<int> c(cap), full(1);
      full.send(1);
      std::atomic<int> waiting{0};
      std::vector<std::thread> threads;
      for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
          ++waiting;
          EXPECT_EQ(c.recv(), std::nullopt);
        });
        threads.emplace_back([&] {
          ++waiting;
          EXPECT_THROW(full.send(2), pirn::closed_channel);
        });
        threads.emplace_back([&] {
          ++waiting;
          std::optional<int> out = 1;
          EXPECT_EQ(pirn::select(pirn::recv(c, out)), 0);
          EXPECT_EQ(out, std::nullopt);
        });
        threads.emplace_back([&] {
          ++waiting;
          EXPECT_THROW(pirn::select(pirn::recv(pirn::chan<int>()), pirn::send(full, 2)), pirn::closed_channel);
        });
      }
      yield_until([&] { return waiting == 12; });
      c.close();
      full.close();
      for (auto& t : threads) join(t);
      EXPECT_EQ(full.recv(), 1);
      EXPECT_EQ(full.recv(), std::nullopt);
    }
  });
}

TEST_P(chan_foreign, threads_and_goroutines_share_one_channel) {
  run([] {
    constexpr int k_each = 3;
    const int items = scaled(600);
    pirn::chan<int> c(2);
    std::atomic<long> sum{0};
    pirn::wait_group senders, receivers;
    std::vector<std::thread> threads;
    const auto send = [&] {
      for (int i = 0; i < items; ++i) c.send(i);
    };
    const auto receive = [&] {
      for (int v : c) sum += v;
    };
    for (int i = 0; i < k_each; ++i) {
      senders.go(send);
      receivers.go(receive);
      senders.add(1);
      threads.emplace_back([&] {
        send();
        senders.done();
      });
      threads.emplace_back(receive);
    }
    senders.wait();
    c.close();
    receivers.wait();
    for (auto& t : threads) join(t);
    EXPECT_EQ(sum, 2L * k_each * items * (items - 1) / 2);
  });
}

TEST_P(chan_foreign, threads_select) {
  run([] {
    pirn::chan<int> a, b, out;
    pirn::chan<void> quit;
    const int n = scaled(500);
    std::thread t([&] {
      long sum = 0;
      for (bool go_on = true; go_on;) {
        int v = 0;
        switch (pirn::select(pirn::recv(a, v), pirn::recv(b, v), pirn::recv(quit))) {
          case 2:
            go_on = false;
            break;
          default:
            sum += v;
        }
      }
      out.send(static_cast<int>(sum));
    });
    pirn::wait_group wg;
    for (const auto& c : {a, b}) {
      wg.go([c, n] {
        for (int i = 0; i < n; ++i) {
          if (i % 2 == 0) {
            c.send(1);
          } else {
            pirn::select(pirn::send(c, 1), pirn::recv(pirn::chan<int>()));
          }
        }
      });
    }
    wg.wait();
    quit.close();
    EXPECT_EQ(out.recv(), 2 * n);
    join(t);
  });
}

TEST_P(chan_foreign, a_thread_in_a_select_that_lost_is_gone_from_the_queues) {
  run([] {
    for (int i = 0; i < 50; ++i) {
      pirn::chan<int> a, b;
      std::thread t([&] {
        int v = 0;
        EXPECT_EQ(pirn::select(pirn::recv(a, v), pirn::recv(b, v)), 1);
      });
      b.send(1);
      join(t);
      EXPECT_FALSE(a.try_send(1)) << "the thread still waits here";
    }
  });
}

TEST_P(chan_foreign, threads_wait_on_timers) {
  run([] {
    std::thread t([] {
      const auto begin = pirn::now();
      pirn::after(2ms).recv();
      EXPECT_GE(pirn::now() - begin, 2ms);
      pirn::sleep_for(1ms);
      EXPECT_GE(pirn::now() - begin, 3ms);
      EXPECT_EQ(pirn::select(pirn::recv(pirn::chan<int>()), pirn::recv(pirn::after(1ms))), 1);
    });
    join(t);
  });
}

TEST_P(chan_foreign, a_thread_may_throw_and_catch_across_a_wait) {
  run([] {
    pirn::chan<int> c;
    std::thread t([c] {
      try {
        throw 7;
      } catch (int) {
        c.recv();
        try {
          throw;
        } catch (int v) {
          EXPECT_EQ(v, 7);
        }
      }
    });
    c.send(1);
    join(t);
  });
}

TEST_P(chan_foreign, the_knobs_answer_on_a_plain_thread) {
  run([] {
    std::thread t([] {
      pirn::runtime::gosched();
      EXPECT_GE(pirn::runtime::num_goroutine(), 1);
      EXPECT_GE(pirn::runtime::num_thread(), 1);
      EXPECT_GE(pirn::runtime::gomaxprocs(), 1);
      EXPECT_GE(pirn::runtime::num_cpu(), 1);
    });
    join(t);
  });
}

}  // namespace
