// barrier: nobody begins the next phase before all have arrived, and the completion runs between the two.
// Layer: tests of src/sync, through the public headers.
#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class barrier : public on_procs {};
PIRN_TEST_ON_PROCS(barrier);

TEST_P(barrier, keeps_the_phases_apart) {
  run([] {
    constexpr int k_goroutines = 7;
    const int phases = scaled(500);
    pirn::barrier b(k_goroutines);
    int at[k_goroutines] = {};
    pirn::wait_group wg;
    for (int g = 0; g < k_goroutines; ++g) {
      wg.go([&, g] {
        for (int phase = 1; phase <= phases; ++phase) {
          at[g] = phase;
          if ((phase + g) % 5 == 0) pirn::runtime::gosched();
          b.arrive_and_wait();
          for (const int a : at) ASSERT_EQ(a, phase);
          b.arrive_and_wait();  // or the fast ones would write while the slow ones still read
        }
      });
    }
    wg.wait();
  });
}

TEST_P(barrier, runs_the_completion_once_a_phase_before_anybody_goes_on) {
  run([] {
    constexpr int k_goroutines = 5;
    const int phases = scaled(300);
    int completed = 0;
    const auto complete = [&]() noexcept {
      pirn::runtime::gosched();
      ++completed;
    };
    pirn::barrier b(k_goroutines, complete);
    pirn::wait_group wg;
    for (int g = 0; g < k_goroutines; ++g) {
      wg.go([&] {
        for (int phase = 1; phase <= phases; ++phase) {
          b.arrive_and_wait();
          ASSERT_EQ(completed, 2 * phase - 1);
          b.arrive_and_wait();
          ASSERT_EQ(completed, 2 * phase);
        }
      });
    }
    wg.wait();
    EXPECT_EQ(completed, 2 * phases);
  });
}

TEST_P(barrier, of_one_never_parks) {
  run([] {
    int completed = 0;
    const auto complete = [&]() noexcept { ++completed; };
    pirn::barrier b(1, complete);
    for (int i = 0; i < 10; ++i) b.arrive_and_wait();
    EXPECT_EQ(completed, 10);
  });
}

TEST_P(barrier, lets_an_arrival_wait_later_or_never) {
  run([] {
    pirn::barrier b(3);
    auto token = b.arrive();
    (void)b.arrive();
    auto h = pirn::spawn([&] { b.wait(std::move(token)); });
    let_others_run();
    EXPECT_FALSE(h.ready());
    auto last = b.arrive();
    h.get();
    b.wait(std::move(last));  // its phase has ended
    auto next = b.arrive(2);
    b.arrive_and_wait();
    b.wait(std::move(next));
  });
}

TEST_P(barrier, expects_fewer_after_a_drop) {
  run([] {
    pirn::barrier b(3);
    pirn::wait_group wg;
    for (int i = 0; i < 2; ++i) {
      wg.go([&] {
        b.arrive_and_wait();
        b.arrive_and_wait();
      });
    }
    b.arrive_and_drop();
    wg.wait();
  });
}

TEST_P(barrier, throws_on_misuse_and_stays_as_it_was) {
  run([] {
    EXPECT_THROW(pirn::barrier<>(-1), std::invalid_argument);
    pirn::barrier b(2);
    EXPECT_THROW((void)b.arrive(3), std::logic_error);
    EXPECT_THROW((void)b.arrive(0), std::logic_error);
    EXPECT_THROW((void)b.arrive(-1), std::logic_error);
    auto token = b.arrive(2);
    b.wait(std::move(token));
    pirn::barrier none(0);
    EXPECT_THROW(none.arrive_and_wait(), std::logic_error);
    EXPECT_THROW(none.arrive_and_drop(), std::logic_error);
  });
}

TEST_P(barrier, works_between_threads_and_goroutines) {
  run([] {
    const int phases = scaled(200);
    std::atomic<int> arrived{0};
    pirn::barrier b(6);
    const auto work = [&] {
      for (int phase = 1; phase <= phases; ++phase) {
        ++arrived;
        b.arrive_and_wait();
        ASSERT_GE(arrived, 6 * phase);
      }
    };
    std::vector<std::thread> threads;
    pirn::wait_group wg;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back(work);
      wg.go(work);
    }
    wg.wait();
    for (auto& t : threads) join(t);
    EXPECT_EQ(arrived, 6 * phases);
  });
}

TEST_P(barrier, may_be_destroyed_when_everybody_has_passed) {
  run([] {
    for (int i = 0; i < scaled(3000); ++i) {
      auto b = std::make_unique<pirn::barrier<>>(2);
      auto h = pirn::spawn([&] { b->arrive_and_wait(); });
      b->arrive_and_wait();
      h.get();
      b.reset();
    }
  });
}

// On main's stack, which goes before the run does. On one P they all wait by then.
TEST(barrier_outside_a_run, may_go_while_abandoned_goroutines_wait_for_it) {
  run_and_abandon(1, [] {
    pirn::barrier b(100);
    for (int i = 0; i < 10; ++i) {
      pirn::go([&] { b.arrive_and_wait(); });
    }
    let_others_run();
  });
}

}  // namespace
