// No memory for stacks and no more threads: what can still progress does, and what cannot ends with a clear text.
// Layer: tests, through the public headers.
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <fstream>
#include <new>
#include <semaphore>
#include <string>
#include <system_error>

#include "support/child.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

constexpr int k_goroutines = 600;

// Leaves room for about `bytes` more of address space. False under a sanitizer, which maps all of it.
bool limit_address_space(std::size_t bytes) {
  if (k_asan || k_tsan) return false;
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t limit = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + bytes;
  const rlimit value{limit, limit};
  return setrlimit(RLIMIT_AS, &value) == 0;
}

pirn::spawn_options with_stack(std::size_t bytes) {
  pirn::spawn_options o;
  o.stack_size = bytes;
  return o;
}

// 600 stacks of 4 MiB and more do not fit; those that run hold theirs until they are released, the others wait their
// turn.
PIRN_CHILD(short_of_stacks) {
  return pirn::run(with_procs(2), [] {
    if (!limit_address_space(std::size_t{1} << 30)) return k_child_cannot_run;
    const pirn::chan<void> release;
    pirn::wait_group wg;
    std::atomic<int> ran{0};
    wg.add(k_goroutines);
    for (int i = 0; i < k_goroutines; ++i) {
      pirn::go(with_stack(4 << 20), [&] {
        release.recv();
        ++ran;
        wg.done();
      });
    }
    let_others_run();
    release.close();
    wg.wait();
    std::printf("ran %d\n", ran.load());
    return 0;
  });
}
TEST(out_of_memory, goroutines_wait_for_a_stack_that_another_gives_back) {
  const auto result = run_child("short_of_stacks");
  if (result.exit_code == k_child_cannot_run) GTEST_SKIP() << "the address space cannot be limited here";
  EXPECT_EQ(result.exit_code, 0) << result.describe();
  EXPECT_EQ(result.output, "ran " + std::to_string(k_goroutines) + "\n");
}

// Each waits for all to have started, which cannot be.
// One P: a second one might want a thread, for which there is no address space either.
PIRN_CHILD(stuck_without_stacks) {
  return pirn::run(with_procs(1), [] {
    if (!limit_address_space(std::size_t{1} << 30)) return k_child_cannot_run;
    pirn::wait_group all_started, all_ended;
    all_started.add(k_goroutines);
    all_ended.add(k_goroutines);
    for (int i = 0; i < k_goroutines; ++i) {
      pirn::go(with_stack(4 << 20), [&] {
        all_started.done();
        all_started.wait();
        all_ended.done();
      });
    }
    all_ended.wait();
    return 0;
  });
}
TEST(out_of_memory, is_fatal_when_nothing_can_progress) {
  const auto result = run_child("stuck_without_stacks");
  if (result.exit_code == k_child_cannot_run) GTEST_SKIP() << "the address space cannot be limited here";
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  EXPECT_EQ(result.output.rfind("fatal error: ", 0), 0u) << result.describe();
  EXPECT_NE(result.output.find("stack"), std::string::npos) << result.describe();
}

// One whose size alone is more than there is. Whether go() refuses it or the runtime reports it: never a bare crash.
PIRN_CHILD(one_huge_stack) {
  return pirn::run(with_procs(1), [] {
    if (!limit_address_space(std::size_t{512} << 20)) return k_child_cannot_run;
    try {
      pirn::spawn(with_stack(std::size_t{4} << 30), [] {}).get();
    } catch (const std::exception& e) {
      std::printf("refused: %s\n", e.what());
      return pirn::spawn([] { return 3; }).get();
    }
    return 0;
  });
}
TEST(out_of_memory, a_stack_larger_than_what_there_is_gives_an_error) {
  const auto result = run_child("one_huge_stack");
  if (result.exit_code == k_child_cannot_run) GTEST_SKIP() << "the address space cannot be limited here";
  EXPECT_EQ(result.signal, 0) << result.describe();
  EXPECT_TRUE(result.exit_code == 3 || result.exit_code == 2) << result.describe();
  EXPECT_NE(result.output, "");
}

// From here on this process gets no more threads. RLIMIT_NPROC does not bind root, so root becomes an unused user
// first; the limit counts the threads of the user.
bool forbid_threads() {
  constexpr uid_t k_unused_user = 61234;
  if (geteuid() == 0 && setresuid(k_unused_user, k_unused_user, k_unused_user) != 0) return false;
  const rlimit none{1, 1};
  return setrlimit(RLIMIT_NPROC, &none) == 0;
}

PIRN_CHILD(out_of_threads) {
  return pirn::run(with_procs(1), [] {
    if (!forbid_threads()) return k_child_cannot_run;
    // Each call needs the P's goroutines to run on another thread.
    constexpr int k_calls = 50;
    std::counting_semaphore<k_calls> calls(0);
    pirn::wait_group wg;
    for (int i = 0; i < k_calls; ++i) {
      wg.go([&] { pirn::runtime::blocking([&] { calls.acquire(); }); });
    }
    let_others_run();
    calls.release(k_calls);
    wg.wait();
    return 0;
  });
}
TEST(out_of_threads, is_a_clear_fatal_error) {
  const auto result = run_child("out_of_threads");
  if (result.exit_code == k_child_cannot_run) GTEST_SKIP() << "threads cannot be limited here";
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  EXPECT_NE(result.output.find("failed to create new OS thread"), std::string::npos) << result.describe();
}

PIRN_CHILD(no_thread_at_all) {
  if (!forbid_threads()) return k_child_cannot_run;
  try {
    pirn::run(with_procs(4), [] {
      for (int i = 0; i < 100; ++i) {
        pirn::go([] { let_others_run(); });
      }
      pirn::sleep_for(1ms);
      yield_until([] { return pirn::runtime::num_goroutine() == 1; });
    });
  } catch (const std::system_error& e) {
    std::printf("system_error: %s\n", e.what());
    return 2;
  }
  return 0;
}
TEST(out_of_threads, from_the_start_is_an_error_or_one_thread_does_it_all) {
  const auto result = run_child("no_thread_at_all");
  if (result.exit_code == k_child_cannot_run) GTEST_SKIP() << "threads cannot be limited here";
  EXPECT_EQ(result.signal, 0) << result.describe();
  EXPECT_TRUE(result.exit_code == 0 || (result.exit_code == 2 && !result.output.empty())) << result.describe();
}

}  // namespace
