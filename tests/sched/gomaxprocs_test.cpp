// gomaxprocs(): its default, the environment, the affinity mask, live changes, and sizes at both ends.
// Layer: tests of src/sched, through the public headers.
#include <sched.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/child.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

int cpus_in_affinity_mask() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return -1;
  return CPU_COUNT(&mask);
}

TEST(gomaxprocs, num_cpu_is_the_affinity_mask) {
  run_on(1, [] { EXPECT_EQ(pirn::runtime::num_cpu(), cpus_in_affinity_mask()); });
}

TEST(gomaxprocs, the_config_decides) {
  for (const int n : {1, 2, 3, 7}) {
    run_on(n, [n] { EXPECT_EQ(pirn::runtime::gomaxprocs(), n); });
  }
}

TEST(gomaxprocs, asking_changes_nothing) {
  run_on(2, [] {
    EXPECT_EQ(pirn::runtime::gomaxprocs(0), 2);
    EXPECT_EQ(pirn::runtime::gomaxprocs(-1), 2);
    EXPECT_EQ(pirn::runtime::gomaxprocs(), 2);
  });
}

TEST(gomaxprocs, setting_returns_the_old_value) {
  run_on(2, [] {
    EXPECT_EQ(pirn::runtime::gomaxprocs(3), 2);
    EXPECT_EQ(pirn::runtime::gomaxprocs(1), 3);
    EXPECT_EQ(pirn::runtime::gomaxprocs(1), 1);
    EXPECT_EQ(pirn::runtime::gomaxprocs(), 1);
  });
}

TEST(gomaxprocs, is_forgotten_by_the_next_run) {
  run_on(2, [] { pirn::runtime::gomaxprocs(5); });
  run_on(3, [] { EXPECT_EQ(pirn::runtime::gomaxprocs(), 3); });
}

PIRN_CHILD(print_procs) {
  return pirn::run([] { std::printf("procs=%d cpus=%d\n", pirn::runtime::gomaxprocs(), pirn::runtime::num_cpu()); });
}

std::string printed(int procs) { return "procs=" + std::to_string(procs) + " "; }

TEST(gomaxprocs_environment, is_obeyed) {
  for (const int n : {1, 3, 8}) {
    const auto result = run_child("print_procs", {{"GOMAXPROCS", std::to_string(n)}});
    EXPECT_EQ(result.exit_code, 0) << result.describe();
    EXPECT_NE(result.output.find(printed(n)), std::string::npos) << result.describe();
  }
}

// Go: TestBigGOMAXPROCS
TEST(gomaxprocs_environment, may_ask_for_1024) {
  const auto result = run_child("print_procs", {{"GOMAXPROCS", "1024"}});
  EXPECT_EQ(result.exit_code, 0) << result.describe();
  EXPECT_NE(result.output.find(printed(1024)), std::string::npos) << result.describe();
}

TEST(gomaxprocs_environment, is_ignored_where_it_is_no_positive_number) {
  const auto unset = run_child("print_procs", {{"GOMAXPROCS", ""}});
  ASSERT_EQ(unset.exit_code, 0) << unset.describe();
  for (const char* bad : {"0", "-1", "many", "2x", " "}) {
    const auto result = run_child("print_procs", {{"GOMAXPROCS", bad}});
    EXPECT_EQ(result.exit_code, 0) << bad << ": " << result.describe();
    EXPECT_EQ(result.output, unset.output) << bad;
  }
}

PIRN_CHILD(config_beats_environment) {
  return pirn::run(with_procs(2), [] { std::printf("procs=%d \n", pirn::runtime::gomaxprocs()); });
}

TEST(gomaxprocs_environment, gives_way_to_the_config) {
  const auto result = run_child("config_beats_environment", {{"GOMAXPROCS", "5"}});
  EXPECT_NE(result.output.find(printed(2)), std::string::npos) << result.describe();
}

PIRN_CHILD(on_one_cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return k_child_cannot_run;
  bool kept = false;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask)) continue;
    if (kept) CPU_CLR(cpu, &mask);
    kept = true;
  }
  if (sched_setaffinity(0, sizeof mask, &mask) != 0) return k_child_cannot_run;
  unsetenv("GOMAXPROCS");
  return pirn::run([] { std::printf("procs=%d cpus=%d\n", pirn::runtime::gomaxprocs(), pirn::runtime::num_cpu()); });
}

TEST(gomaxprocs_default, follows_the_affinity_mask) {
  const auto result = run_child("on_one_cpu");
  if (result.exit_code == k_child_cannot_run) GTEST_SKIP() << "the affinity mask cannot be changed here";
  EXPECT_EQ(result.output, "procs=1 cpus=1\n") << result.describe();
}

TEST(gomaxprocs_change, keeps_every_goroutine_and_timer) {
  run_on(1, [] {
    pirn::wait_group wg;
    std::atomic<long> sum{0};
    const int n = scaled(500);
    pirn::chan<int> c(16);
    for (int i = 0; i < n; ++i) {
      wg.go([&, i] {
        pirn::sleep_for(std::chrono::microseconds(i % 50 * 20));
        c.send(i);
      });
      wg.go([&] { sum += c.recv().value(); });
    }
    for (int i = 0; i < 40; ++i) {
      pirn::runtime::gomaxprocs(1 + i * 7 % 5);
      pirn::runtime::gosched();
    }
    wg.wait();
    EXPECT_EQ(sum, static_cast<long>(n) * (n - 1) / 2);
  });
}

TEST(gomaxprocs_change, moves_the_timers_of_a_p_that_goes_away) {
  run_on(4, [] {
    pirn::wait_group wg;
    for (int i = 0; i < 200; ++i) wg.go([] { pirn::sleep_for(2ms); });
    let_others_run(20);
    pirn::runtime::gomaxprocs(1);
    wg.wait();
  });
}

TEST(gomaxprocs_change, takes_effect_on_more_procs) {
  run_on(1, [] {
    pirn::runtime::gomaxprocs(2);
    // Each spins without a runtime entry until the other has started, which takes two Ps.
    std::atomic<int> started{0};
    auto meet = [&] {
      ++started;
      spin_until([&] { return started == 2; });
    };
    auto a = pirn::spawn(meet);
    auto b = pirn::spawn(meet);
    a.get();
    b.get();
  });
}

// Go: TestStopTheWorldDeadlock, the GOMAXPROCS half: changes race with a goroutine that endlessly starts its successor.
TEST(gomaxprocs_change, races_with_endless_respawning) {
  std::atomic<bool> stop{false};
  run_on(2, [&] {
    std::function<void()> respawn = [&] {
      if (!stop) pirn::go(respawn);
    };
    pirn::go(respawn);
    for (int i = 0; i < scaled(1000); ++i) pirn::runtime::gomaxprocs(3);
    for (int i = 0; i < scaled(300); ++i) pirn::runtime::gomaxprocs(1 + i % 3);
    stop = true;
    expect_no_other_goroutine();
  });
}

TEST(gomaxprocs_change, may_come_from_several_goroutines_at_once) {
  run_on(2, [] {
    pirn::wait_group wg;
    for (int g = 0; g < 4; ++g) {
      wg.go([g] {
        for (int i = 0; i < scaled(100); ++i) pirn::runtime::gomaxprocs(1 + (g + i) % 4);
      });
    }
    wg.wait();
    const int now = pirn::runtime::gomaxprocs();
    EXPECT_GE(now, 1);
    EXPECT_LE(now, 4);
  });
}

TEST(gomaxprocs_change, may_come_from_a_plain_thread) {
  run_on(2, [] {
    std::thread t([] { EXPECT_EQ(pirn::runtime::gomaxprocs(3), 2); });
    join(t);
    EXPECT_EQ(pirn::runtime::gomaxprocs(), 3);
  });
}

TEST(gomaxprocs_change, runs_beside_blocking_calls_and_locked_threads) {
  run_on(3, [] {
    std::atomic<bool> stop{false};
    pirn::wait_group wg;
    for (int i = 0; i < 4; ++i) {
      wg.go([&, i] {
        if (i % 2 == 0) pirn::runtime::lock_os_thread();
        while (!stop) {
          pirn::runtime::blocking([] { std::this_thread::yield(); });
          pirn::runtime::gosched();
        }
      });
    }
    for (int i = 0; i < 100; ++i) {
      pirn::runtime::gomaxprocs(1 + i % 4);
      pirn::runtime::gosched();
    }
    stop = true;
    wg.wait();
  });
}

}  // namespace
