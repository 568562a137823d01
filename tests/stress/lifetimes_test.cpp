// Short lives: runs that start and end in quick succession with goroutines, threads and timers in full swing, and
// objects that are freed the instant that allows it.
// Layer: tests, through the public headers.
#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

TEST(lifetimes, of_runs_that_end_in_full_swing) {
  const auto policies = {pirn::at_exit::abandon, pirn::at_exit::unwind};
  const pirn::chan<int> a, b(1);
  std::atomic<long> work{0};
  auto random = random_for(1);
  for (int round = 0; round < scaled(200); ++round) {
    for (const auto policy : policies) {
      pirn::config c = with_procs(1 + round % 4);
      c.at_exit = policy;
      const int pause = static_cast<int>(random() % 40);
      pirn::run(c, [&] {
        for (int i = 0; i < 20; ++i) {
          pirn::go([&, i] {
            for (;;) {
              ++work;
              switch ((i + work) % 5) {
                case 0:
                  pirn::runtime::gosched();
                  break;
                case 1:
                  b.try_send(1);
                  pirn::sleep_for(5us);
                  break;
                case 2:
                  pirn::select(pirn::send(a, 1), pirn::recv(a), pirn::recv(b), pirn::send(b, 1));
                  break;
                case 3:
                  pirn::go([&] { ++work; });
                  break;
                default:
                  b.try_recv();
              }
            }
          });
        }
        let_others_run(pause);
      });
    }
    while (b.try_recv().status == pirn::chan_status::ok) {
    }
    ASSERT_FALSE(a.try_send(1)) << "a waiter of an ended run";
  }
  EXPECT_GT(work, 0);
}

// Threads that start goroutines see either a run or the error that says that there is none.
TEST(lifetimes, of_runs_beside_threads_that_keep_starting_goroutines) {
  std::atomic<bool> stop{false};
  std::atomic<long> started{0}, refused{0}, ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        try {
          pirn::go([&] { ++ran; });
          ++started;
        } catch (const std::logic_error&) {
          ++refused;
          std::this_thread::yield();
        }
      }
    });
  }
  for (int round = 0; round < scaled(200); ++round) {
    pirn::config c = with_procs(1 + round % 3);
    c.at_exit = round % 2 == 0 ? pirn::at_exit::abandon : pirn::at_exit::unwind;
    pirn::run(c, [&] { let_others_run(round % 20); });
  }
  stop = true;
  for (auto& t : threads) t.join();
  EXPECT_LE(ran, started);
  EXPECT_GT(refused, 0);
}

TEST(lifetimes, of_runs_beside_threads_that_wait_on_channels) {
  std::atomic<bool> stop{false};
  const pirn::chan<int> in, out(4);
  std::atomic<long> echoed{0};
  std::thread echo([&] {
    for (int v : in) {
      out.send(v + 1);
      ++echoed;
    }
  });
  long sum = 0;
  for (int round = 0; round < scaled(300); ++round) {
    run_on(1 + round % 3, [&] {
      pirn::go([&] { in.send(round); });
      sum += out.recv().value() - round;
    });
  }
  in.close();
  echo.join();
  EXPECT_EQ(sum, scaled(300));
}

class short_lives : public on_procs {};
PIRN_TEST_ON_PROCS(short_lives);

// The channel, the wait_group, the mutex and the handle all go away as soon as they may.
TEST_P(short_lives, of_what_goroutines_share) {
  run([] {
    struct shared_thing {
      pirn::mutex m;
      pirn::wait_group wg;
      int owners = 2;
    };
    for (int i = 0; i < scaled(3000); ++i) {
      auto thing = std::make_unique<shared_thing>();
      {
        const pirn::chan<std::unique_ptr<int>> c(i % 2);
        thing->wg.go([c, i] { c.send(std::make_unique<int>(i)); });
        thing->wg.go([t = thing.get()] {
          std::scoped_lock hold(t->m);
          --t->owners;
        });
        ASSERT_EQ(**c.recv(), i);
      }
      auto h = pirn::spawn([t = thing.get()] {
        std::scoped_lock hold(t->m);
        --t->owners;
      });
      if (i % 2 == 0) {
        h.get();
      } else {
        h.join();
      }
      thing->wg.wait();
      ASSERT_EQ(thing->owners, 0);
      thing.reset();
    }
  });
}

TEST_P(short_lives, of_handles_dropped_while_their_goroutines_end) {
  std::atomic<int> results{0};
  const int n = scaled(3000);
  run([&] {
    for (int i = 0; i < n; ++i) {
      auto h = pirn::spawn([&] { return tell_when_destroyed(results); });
      if (i % 3 == 0) pirn::runtime::gosched();
      if (i % 3 == 1) {
        auto other = std::move(h);
      }
    }
  });
  EXPECT_EQ(results, n);
}

TEST_P(short_lives, of_channels_freed_by_the_side_that_is_last) {
  run([] {
    for (int i = 0; i < scaled(5000); ++i) {
      pirn::chan<int> c(i % 2);
      pirn::go([c = std::move(c)] { c.try_send(1); });
      pirn::chan<int> d;
      pirn::go([d] { d.send(1); });
      ASSERT_EQ(d.recv(), 1);
    }
  });
}

}  // namespace
