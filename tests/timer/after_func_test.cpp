// after_func: the function runs once, later, in a goroutine of its own, unless it is stopped in time.
// Layer: tests of src/timer, through the public headers.
#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class after_func : public on_procs {};
PIRN_TEST_ON_PROCS(after_func);

TEST_P(after_func, runs_the_function_later) {
  run([] {
    const pirn::chan<pirn::clock::time_point> c;
    const auto begin = pirn::now();
    auto t = pirn::after_func(2ms, [=] { c.send(pirn::now()); });
    EXPECT_GE(c.recv().value() - begin, 2ms);
    EXPECT_FALSE(t.stop()) << "it has run";
  });
}

// Go: TestAfterFunc. Functions that start their successors.
TEST_P(after_func, may_start_itself_again) {
  run([] {
    const pirn::chan<bool> done;
    int left = 10;
    std::function<void()> step = [&] {
      if (--left >= 0) {
        pirn::after_func(0s, step);
        pirn::sleep_for(100us);
      } else {
        done.send(true);
      }
    };
    pirn::after_func(0s, step);
    EXPECT_EQ(done.recv(), true);
    expect_no_other_goroutine();
  });
}

TEST_P(after_func, runs_also_when_its_timer_is_dropped) {
  run([] {
    const pirn::chan<int> c;
    pirn::after_func(500us, [=] { c.send(1); });
    {
      auto dropped = pirn::after_func(500us, [=] { c.send(2); });
    }
    EXPECT_EQ(c.recv().value() + c.recv().value(), 3);
  });
}

TEST_P(after_func, runs_in_a_goroutine_of_its_own) {
  run([] {
    const pirn::chan<unsigned long> ids(2);
    const pirn::chan<void> never_mind;
    pirn::after_func(0s, [=] {
      ids.send(static_cast<unsigned long>(pirn::runtime::goid()));
      never_mind.recv();
    });
    // One that waits does not hold up the next.
    pirn::after_func(0s, [=] {
      ids.send(static_cast<unsigned long>(pirn::runtime::goid()));
      never_mind.recv();
    });
    const auto a = ids.recv().value(), b = ids.recv().value();
    EXPECT_NE(a, b);
    EXPECT_NE(a, static_cast<unsigned long>(pirn::runtime::goid()));
    EXPECT_EQ(pirn::runtime::num_goroutine(), 3);
    never_mind.close();
  });
}

TEST_P(after_func, does_not_count_as_a_goroutine_before_it_runs) {
  run([] {
    auto t = pirn::after_func(24h, [] {});
    EXPECT_EQ(pirn::runtime::num_goroutine(), 1);
    EXPECT_TRUE(t.stop());
  });
}

// Go: TestAfterStop
TEST_P(after_func, that_is_stopped_never_runs) {
  run([] {
    std::atomic<int> ran{0};
    int stopped = 0;
    std::vector<pirn::timer> timers;
    for (int i = 0; i < 200; ++i) timers.push_back(pirn::after_func(std::chrono::microseconds(10 * i), [&] { ++ran; }));
    for (auto& t : timers) stopped += t.stop() ? 1 : 0;
    for (auto& t : timers) EXPECT_FALSE(t.stop());
    // Whichever was not stopped has started; a later timer finds it ended.
    yield_until([&] { return ran + stopped == 200; });
    pirn::sleep_for(3ms);
    EXPECT_EQ(ran + stopped, 200);
  });
}

TEST_P(after_func, reset_runs_it_again) {
  run([] {
    const pirn::chan<int> c;
    int n = 0;
    auto t = pirn::after_func(24h, [&, c] { c.send(++n); });
    EXPECT_TRUE(t.reset(100us));
    EXPECT_EQ(c.recv(), 1);
    expect_no_other_goroutine();
    EXPECT_FALSE(t.reset(100us));
    EXPECT_EQ(c.recv(), 2);
    expect_no_other_goroutine();
    EXPECT_FALSE(t.reset(24h));
    EXPECT_TRUE(t.stop());
  });
}

TEST_P(after_func, takes_move_only_functions) {
  run([] {
    const pirn::chan<int> c;
    pirn::after_func(0s, [c, p = std::make_unique<int>(4)] { c.send(*p); });
    EXPECT_EQ(c.recv(), 4);
  });
}

TEST_P(after_func, destroys_its_function) {
  std::atomic<int> destroyed{0};
  run([&] {
    {
      auto stopped = pirn::after_func(24h, [guard = tell_when_destroyed(destroyed)] {});
      EXPECT_TRUE(stopped.stop());
    }
    const pirn::chan<void> c;
    {
      auto ran = pirn::after_func(0s, [c, guard = tell_when_destroyed(destroyed)] { c.send(); });
      c.recv();
    }
    expect_no_other_goroutine();
    EXPECT_EQ(destroyed, 2);
  });
}

TEST_P(after_func, works_from_a_plain_thread) {
  run([] {
    const pirn::chan<int> c;
    std::thread t([c] {
      pirn::after_func(200us, [c] { c.send(1); });
      auto stopped = pirn::after_func(24h, [c] { c.send(2); });
      EXPECT_TRUE(stopped.stop());
    });
    EXPECT_EQ(c.recv(), 1);
    join(t);
  });
}

TEST_P(after_func, many_at_the_same_instant_all_run) {
  run([] {
    const int n = scaled(5000);
    pirn::wait_group wg;
    wg.add(n);
    for (int i = 0; i < n; ++i) pirn::after_func(1ms, [&] { wg.done(); });
    wg.wait();
  });
}

// What an abandoned run left in its heaps must not run in the next.
TEST(after_func_at_exit, does_not_outlive_its_run) {
  std::atomic<int> ran{0};
  for (int i = 0; i < 20; ++i) {
    run_and_abandon(2, [&] {
      for (int k = 0; k < 20; ++k) pirn::after_func(std::chrono::microseconds(300), [&] { ++ran; });
    });
  }
  const int at_end = ran;
  run_on(2, [] { pirn::sleep_for(3ms); });
  EXPECT_EQ(ran, at_end);
}

}  // namespace
