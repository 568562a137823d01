// The threads of a run: they come when goroutines block, end when nobody needs them, and inherit nothing.
// Layer: tests of src/sched, through the public headers.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include "support/child.h"
#include "support/nightly.h"
#include "support/proc.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class threads : public on_procs {};
PIRN_TEST_ON_PROCS(threads);

// Makes the run have a thread for each.
void block_at_once(int calls) {
  std::barrier all(calls);
  pirn::wait_group wg;
  for (int i = 0; i < calls; ++i) {
    wg.go([&] { pirn::runtime::blocking([&] { all.arrive_and_wait(); }); });
  }
  wg.wait();
}

TEST_P(threads, end_when_nobody_needs_them) {
  run([] {
    constexpr int k_calls = 60;
    for (int burst = 0; burst < 2; ++burst) {
      std::barrier all(k_calls + 1);
      pirn::wait_group wg;
      for (int i = 0; i < k_calls; ++i) {
        wg.go([&] { pirn::runtime::blocking([&] { all.arrive_and_wait(); }); });
      }
      int most = 0;
      pirn::runtime::blocking([&] {
        while (most < k_calls) {
          most = pirn::runtime::num_thread();
          usleep(1000);
        }
        all.arrive_and_wait();
      });
      wg.wait();
      const auto all_done = std::chrono::steady_clock::now();
      while (pirn::runtime::num_thread() > GetParam() + 3) pirn::sleep_for(10ms);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - all_done;
      std::printf("%d threads for %d calls, %.2f s after them %d\n", most, k_calls, took.count(),
                  pirn::runtime::num_thread());
    }
  });
}

// Those that come back last find others that were needed when they looked.
TEST_P(threads, of_long_calls_end_as_well) {
  run([] {
    const int calls = times_for(20, 200);
    const auto length = std::chrono::milliseconds(times_for(600, 1000));
    pirn::wait_group wg;
    for (int i = 0; i < calls; ++i) {
      wg.go([&] { pirn::runtime::blocking([&] { std::this_thread::sleep_for(length); }); });
    }
    int most = 0;
    pirn::wait_group watch;
    std::atomic<bool> done{false};
    watch.go([&] {
      while (!done) {
        most = std::max(most, pirn::runtime::num_thread());
        pirn::sleep_for(10ms);
      }
    });
    wg.wait();
    done = true;
    watch.wait();
    EXPECT_GE(most, calls);
    const auto all_done = std::chrono::steady_clock::now();
    while (pirn::runtime::num_thread() > GetParam() + 3) pirn::sleep_for(10ms);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - all_done;
    std::printf("%d threads for %d calls, %.2f s after them %d\n", most, calls, took.count(),
                pirn::runtime::num_thread());
  });
}

TEST_P(threads, are_born_clean) {
  run([] {
    pirn::runtime::os_thread_lock here;
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGURG);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    char own_name[16] = {};
    pthread_getname_np(pthread_self(), own_name, sizeof own_name);
    pthread_setname_np(pthread_self(), "dirty");
    std::atomic<int> dirty{0};
    constexpr int k_calls = 20;
    std::barrier all(k_calls);
    pirn::wait_group wg;
    for (int i = 0; i < k_calls; ++i) {
      wg.go([&] {
        pirn::runtime::blocking([&] {
          sigset_t mine;
          pthread_sigmask(SIG_SETMASK, nullptr, &mine);
          char name[16] = {};
          pthread_getname_np(pthread_self(), name, sizeof name);
          if (sigismember(&mine, SIGUSR1) != 0 || std::string(name) == "dirty") ++dirty;
          all.arrive_and_wait();
        });
      });
    }
    wg.wait();
    EXPECT_EQ(dirty, 0);
    pthread_setname_np(pthread_self(), own_name);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  });
}

TEST(thread_limit, set_returns_what_was_before) {
  EXPECT_EQ(pirn::runtime::set_max_threads(500), 10'000);
  EXPECT_EQ(pirn::runtime::set_max_threads(10'000), 500);
  EXPECT_THROW(pirn::runtime::set_max_threads(0), std::invalid_argument);
}

PIRN_CHILD(too_many_threads) {
  return pirn::run(with_procs(1), [] {
    pirn::runtime::set_max_threads(8);
    block_at_once(20);
  });
}

PIRN_CHILD(too_low_a_limit) {
  return pirn::run(with_procs(1), [] {
    block_at_once(20);
    pirn::runtime::set_max_threads(4);
    return 0;
  });
}

TEST(thread_limit, beyond_it_the_program_dies_in_gos_words) {
  for (const char* child : {"too_many_threads", "too_low_a_limit"}) {
    const auto result = run_child(child);
    EXPECT_EQ(result.exit_code, 2) << result.describe();
    EXPECT_NE(result.output.find("-thread limit\nfatal error: thread exhaustion\n"), std::string::npos)
        << result.describe();
    EXPECT_NE(result.output.find("runtime: program exceeds "), std::string::npos) << result.describe();
  }
}

}  // namespace
