// gosched(): it lets others run, it comes back, and nobody is left behind. Also the small knobs beside it.
// Layer: tests of src/sched, through the public headers.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class gosched : public on_procs {};
PIRN_TEST_ON_PROCS(gosched);

TEST_P(gosched, alone_comes_back) {
  run([] {
    for (int i = 0; i < scaled(100000); ++i) pirn::runtime::gosched();
  });
}

TEST_P(gosched, lets_a_goroutine_that_is_waited_for_run) {
  run([] {
    std::atomic<bool> flag{false};
    pirn::go([&] { flag = true; });
    yield_until([&] { return flag.load(); });
  });
}

// Go: TestPreemption's shape, with yields: two goroutines hand a flag back and forth.
TEST_P(gosched, lets_two_spinning_goroutines_take_turns) {
  run([] {
    std::atomic<int> turn{0};
    const int n = scaled(10000);
    auto player = [&](int me) {
      for (int i = 0; i < n; ++i) {
        yield_until([&] { return turn == me; });
        turn = 1 - me;
      }
    };
    auto other = pirn::spawn(player, 1);
    player(0);
    other.get();
  });
}

// More than a P's ring holds: whoever yields goes behind a good part of them, not in front of what overflowed.
TEST(gosched_of_one, lets_a_whole_ring_run_before_it_comes_back) {
  run_on(1, [] {
    constexpr int k_goroutines = 2000;
    std::atomic<int> ran{0};
    int yields = 0;
    for (int i = 0; i < k_goroutines; ++i) pirn::go([&] { ++ran; });
    while (ran < k_goroutines) {
      pirn::runtime::gosched();
      ++yields;
    }
    EXPECT_LT(yields, 100);
  });
}

TEST_P(gosched, starves_nobody_among_many) {
  run([] {
    constexpr int k_goroutines = 50;
    std::vector<std::atomic<int>> steps(k_goroutines);
    std::atomic<bool> stop{false};
    pirn::wait_group wg;
    for (auto& s : steps) {
      wg.go([&] {
        while (!stop) {
          ++s;
          pirn::runtime::gosched();
        }
      });
    }
    for (auto& s : steps) yield_until([&] { return s >= 20; });
    stop = true;
    wg.wait();
  });
}

// Go: TestGoroutineParallelism's neighbour: a goroutine that never stops being ready must not keep timers and
// freshly started goroutines from running.
TEST_P(gosched, loops_do_not_keep_timers_and_new_goroutines_from_running) {
  run([] {
    std::atomic<bool> stop{false};
    pirn::wait_group wg;
    for (int i = 0; i < 4; ++i) {
      wg.go([&] {
        while (!stop) pirn::runtime::gosched();
      });
    }
    for (int i = 0; i < 10; ++i) {
      pirn::sleep_for(200us);
      EXPECT_EQ(pirn::spawn([i] { return i; }).get(), i);
    }
    stop = true;
    wg.wait();
  });
}

// A pair that keeps making each other ready through runnext must leave room for others.
TEST_P(gosched, a_ping_pong_does_not_starve_a_third) {
  run([] {
    pirn::chan<int> ping, pong;
    std::atomic<bool> third_ran{false};
    pirn::wait_group wg;
    wg.go([&] {
      for (int v : ping) pong.send(v);
      pong.close();
    });
    wg.go([&] {
      while (!third_ran) {
        ping.send(1);
        pong.recv();
      }
      ping.close();
    });
    let_others_run(5);
    wg.go([&] { third_ran = true; });
    wg.wait();
  });
}

// Go: testYieldProgress. One goroutine polls a channel with default and Gosched; the sender must get its answer.
void yield_progress(bool locked) {
  pirn::chan<bool> c, answer;
  pirn::go([=] {
    if (locked) pirn::runtime::lock_os_thread();
    for (;;) {
      if (c.try_recv().status == pirn::chan_status::ok) {
        answer.send(true);
        return;
      }
      pirn::runtime::gosched();
    }
  });
  pirn::sleep_for(1ms);
  c.send(true);
  EXPECT_EQ(answer.recv(), true);
}

// Go: TestYieldProgress
TEST_P(gosched, polling_with_yields_makes_progress) {
  run([] { yield_progress(false); });
}

// Go: TestYieldLockedProgress
TEST_P(gosched, polling_with_yields_makes_progress_on_a_locked_thread) {
  run([] { yield_progress(true); });
}

TEST_P(gosched, the_knobs_say_something_sensible) {
  run([] {
    EXPECT_FALSE(std::string(pirn::runtime::version()).empty());
    EXPECT_GE(pirn::runtime::num_cpu(), 1);
    EXPECT_GE(pirn::runtime::num_thread(), 1);
    EXPECT_EQ(pirn::runtime::num_goroutine(), 1);
  });
}

}  // namespace
