// The runtime on a kernel without membarrier(2): every entry and every wake-up pays for a fence of its own. Stress of
// what rests on it: entering beside thieves that take a P over, going idle beside those who queue work, and the end of
// blocking sections. What goes wrong here is a lost or doubled goroutine, so the checks are sums, and a hang.
// Layer: tests of src/os and src/sched, white-box for the hook.
#include "os/membarrier.h"

#include <atomic>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class without_membarrier : public testing::Test {
 protected:
  void SetUp() override { pirn::rt::disable_membarrier_for_test(true); }
  void TearDown() override { pirn::rt::disable_membarrier_for_test(false); }

  // The hook must have worked, or the test says nothing.
  template <class F>
  static void run(int procs, F f) {
    run_on(procs, [&] {
      EXPECT_FALSE(pirn::rt::have_membarrier);
      f();
    });
    EXPECT_FALSE(pirn::rt::have_membarrier);
  }
};

// Computes outside of the runtime: whoever wants this P's work must take it over.
[[gnu::noinline]] void compute(int steps) {
  for (int i = 0; i < steps; ++i) pirn::rt::compiler_barrier();
}

TEST(membarrier, is_off_only_while_the_hook_says_so) {
  run_on(1, [] {});
  const bool here = pirn::rt::have_membarrier;
  pirn::rt::disable_membarrier_for_test(true);
  run_on(1, [] { EXPECT_FALSE(pirn::rt::have_membarrier); });
  pirn::rt::disable_membarrier_for_test(false);
  run_on(1, [&] { EXPECT_EQ(pirn::rt::have_membarrier, here); });
}

TEST_F(without_membarrier, channels_lose_and_double_nothing) {
  run(4, [] {
    constexpr int k_senders = 8;
    const int each = scaled(5000);
    for (const int capacity : {0, 1, 16}) {
      const pirn::chan<int> c(capacity);
      std::atomic<long> sum{0}, count{0};
      pirn::wait_group senders, receivers;
      for (int s = 0; s < k_senders; ++s) {
        senders.go([&] {
          for (int i = 1; i <= each; ++i) c.send(i);
        });
        receivers.go([&] {
          for (const int v : c) {
            sum += v;
            ++count;
          }
        });
      }
      senders.wait();
      c.close();
      receivers.wait();
      EXPECT_EQ(count, long{k_senders} * each);
      EXPECT_EQ(sum, long{k_senders} * each * (each + 1) / 2);
    }
  });
}

TEST_F(without_membarrier, mutex_excludes) {
  run(4, [] {
    pirn::mutex m;
    long counter = 0;  // guarded by m
    const int each = scaled(10000);
    pirn::wait_group wg;
    for (int g = 0; g < 16; ++g) {
      wg.go([&] {
        for (int i = 0; i < each; ++i) {
          const std::scoped_lock hold(m);
          ++counter;
          if (i % 64 == 0) pirn::runtime::gosched();  // the others come while it is held
        }
      });
    }
    wg.wait();
    EXPECT_EQ(counter, 16L * each);
  });
}

void tree(int depth, std::atomic<int>& leaves, pirn::wait_group& wg) {
  if (depth == 0) {
    compute(200);
    ++leaves;
  } else {
    for (int i = 0; i < 2; ++i) wg.go([depth, &leaves, &wg] { tree(depth - 1, leaves, wg); });
    compute(200);
  }
}

TEST_F(without_membarrier, stolen_goroutines_run_once) {
  run(4, [] {
    for (int round = 0; round < scaled(40); ++round) {
      std::atomic<int> leaves{0};
      pirn::wait_group wg;
      wg.go([&] { tree(9, leaves, wg); });
      wg.wait();
      EXPECT_EQ(leaves, 1 << 9);
    }
  });
}

// The owner queues and then computes: each goroutine can only run if another P takes it over.
TEST_F(without_membarrier, work_behind_one_that_computes_is_taken_over) {
  run(4, [] {
    for (int round = 0; round < scaled(100); ++round) {
      std::atomic<int> ran{0};
      for (int i = 0; i < 8; ++i) pirn::go([&] { ++ran; });
      spin_until([&] { return ran == 8; });
    }
  });
}

TEST_F(without_membarrier, sleepers_are_woken_for_work_from_everywhere) {
  run(4, [] {
    const int rounds = scaled(2000);
    // From a goroutine, with all other Ps asleep in between.
    for (int i = 0; i < rounds; ++i) pirn::spawn([] {}).join();
    // From a plain thread.
    const pirn::chan<int> there, back;
    std::thread t([&] {
      for (const int v : there) back.send(v + 1);
    });
    for (int i = 0; i < rounds; ++i) {
      there.send(i);
      ASSERT_EQ(back.recv(), i + 1);
    }
    there.close();
    join(t);
    // From timers.
    pirn::wait_group wg;
    for (int i = 0; i < 200; ++i) wg.go([i] { pirn::sleep_for(std::chrono::microseconds(10 * i)); });
    wg.wait();
  });
}

TEST_F(without_membarrier, blocking_sections_and_changes_of_gomaxprocs) {
  run(3, [] {
    pirn::wait_group wg;
    std::atomic<int> done{0};
    const int each = scaled(300);
    for (int g = 0; g < 6; ++g) {
      wg.go([&] {
        for (int i = 0; i < each; ++i) {
          pirn::runtime::blocking([] { std::this_thread::yield(); });
          pirn::runtime::gosched();
          ++done;
        }
      });
    }
    for (int i = 0; i < 200; ++i) {
      pirn::runtime::gomaxprocs(1 + i % 4);
      pirn::runtime::gosched();
    }
    wg.wait();
    EXPECT_EQ(done, 6 * each);
  });
}

TEST_F(without_membarrier, a_run_ends_with_goroutines_parked_and_computing) {
  for (int round = 0; round < scaled(50); ++round) {
    const pirn::chan<int> never;
    run_and_abandon(4, [&] {
      EXPECT_FALSE(pirn::rt::have_membarrier);
      for (int i = 0; i < 20; ++i) {
        pirn::go([never] { never.recv(); });
        pirn::go([] {
          for (;;) {
            compute(100);
            pirn::runtime::gosched();
          }
        });
      }
      let_others_run(5);
    });
  }
}

}  // namespace
