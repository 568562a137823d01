// The reports of fatal errors, panics and deadlocks have Go's shape: the golden reports go-deadlock, go-panic,
// go-unlock, go-goexit and go-thread-exhaustion, with C++ names in their frames. Layer: tests, through the public
// headers.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <regex>
#include <semaphore>
#include <stdexcept>
#include <string>

#include "support/child.h"
#include "support/report.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using environment = std::vector<std::pair<std::string, std::string>>;

struct own_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

constexpr int k_line_of_throw = __LINE__ + 3;
[[gnu::noinline]] int throws_at(int depth) {
  volatile int frame = depth;  // of its own: the recursion must not become a loop
  if (depth == 0) throw own_error("boom\nline2");
  return throws_at(depth - 1) + frame;
}

[[gnu::noinline]] void waits_on(const pirn::chan<int>& c) {
  c.recv();
  std::printf("went on\n");
}

[[gnu::noinline]] void starts_the_thrower() {
  pirn::go([] { std::printf("%d\n", throws_at(2)); });
}

PIRN_CHILD(panic) {
  return pirn::run(with_procs(2), [] {
    const pirn::chan<int> c;
    pirn::go({"a waiter", 0}, waits_on, c);
    let_others_run();
    starts_the_thrower();
    waits_on(c);
  });
}

report_text report_of(const std::string& child, int exit_code = 2, const environment& e = {}) {
  const auto result = run_child(child, e);
  EXPECT_EQ(result.exit_code, exit_code) << child << ": " << result.describe();
  report_text r = parse_report(result.output);
  EXPECT_TRUE(r.well_formed) << "the line '" << r.malformed << "' in: " << result.describe();
  return r;
}

bool lines_are_known(const report_block& b) {
  for (const std::string& place : b.places) {
    if (place.find("_test.cpp:") != std::string::npos) return true;
  }
  return false;
}

TEST(panic_report, shows_the_stack_as_it_was_thrown) {
  const report_text r = report_of("panic");
  EXPECT_EQ(r.message.rfind("panic: boom\n\tline2\n[type (anonymous namespace)::own_error]\n", 0), 0u) << r.message;
  ASSERT_EQ(r.blocks.size(), 1u) << "the goroutine that died, and no other";
  const report_block& b = r.blocks[0];
  EXPECT_TRUE(std::regex_match(b.header, std::regex(R"(goroutine \d+ \[running\]:)"))) << b.header;
  ASSERT_GE(b.functions.size(), 3u);
  for (int i = 0; i < 3; ++i)
    EXPECT_NE(b.functions[static_cast<std::size_t>(i)].find("throws_at(int)"), std::string::npos);
  EXPECT_FALSE(b.shows("__cxa_throw"));
  EXPECT_FALSE(b.shows("pirn::rt::"));
  EXPECT_FALSE(b.shows("pirn::detail::"));
  EXPECT_NE(b.creator.find("starts_the_thrower()"), std::string::npos) << b.creator;
  if (lines_are_known(b)) {
    EXPECT_NE(b.places[0].find("report_shapes_test.cpp:" + std::to_string(k_line_of_throw) + " +0x"), std::string::npos)
        << b.places[0];
  }
}

TEST(panic_report, shows_what_GOTRACEBACK_asks_for) {
  EXPECT_EQ(report_of("panic", 2, {{"GOTRACEBACK", "none"}}).blocks.size(), 0u);
  EXPECT_EQ(report_of("panic", 2, {{"GOTRACEBACK", "single"}}).blocks.size(), 1u);
  const report_text all = report_of("panic", 2, {{"GOTRACEBACK", "all"}});
  ASSERT_EQ(all.blocks.size(), 3u);
  EXPECT_NE(all.blocks[0].header.find("[running]"), std::string::npos) << "the one that died comes first";
  const report_block* waiter = all.of("[chan receive] {name: \"a waiter\"}");
  ASSERT_NE(waiter, nullptr);
  EXPECT_TRUE(waiter->shows("waits_on("));
  EXPECT_EQ(all.blocks[0].header.find("gp="), std::string::npos);
  const report_text system = report_of("panic", 2, {{"GOTRACEBACK", "system"}});
  ASSERT_EQ(system.blocks.size(), 3u);
  EXPECT_NE(system.blocks[0].header.find(" gp=0x"), std::string::npos);
  EXPECT_NE(system.blocks[0].places[0].find(" fp=0x"), std::string::npos);
  EXPECT_TRUE(system.of("[chan receive]")->shows("pirn::rt::") || system.of("[chan receive]")->shows("pirn_goroutine"))
      << "the runtime's frames as well";
}

TEST(panic_report, ends_in_an_abort_if_GOTRACEBACK_is_crash) {
  const auto result = run_child("panic", {{"GOTRACEBACK", "crash"}});
  EXPECT_EQ(result.signal, SIGABRT) << result.describe();
  EXPECT_EQ(parse_report(result.output).blocks.size(), 3u) << result.describe();
}

PIRN_CHILD(deep_panic) {
  return pirn::run(with_procs(1), [] {
    pirn::go([] { std::printf("%d\n", throws_at(600)); });
    pirn::chan<int>().recv();
  });
}
TEST(panic_report, leaves_the_middle_of_a_deep_stack_out) {
  const report_text r = report_of("deep_panic");
  ASSERT_EQ(r.blocks.size(), 1u);
  EXPECT_TRUE(std::regex_match(r.blocks[0].elided, std::regex(R"(\.\.\.5\d\d frames elided\.\.\.)")))
      << r.blocks[0].elided;
  EXPECT_LE(r.blocks[0].functions.size(), 110u);
}

PIRN_CHILD(rethrown) {
  return pirn::run(with_procs(1), [] {
    pirn::go([] {
      try {
        throws_at(3);
      } catch (const own_error&) {
        throw;
      }
    });
    pirn::chan<int>().recv();
  });
}
TEST(panic_report, of_a_rethrown_exception_shows_where_it_was_rethrown) {
  const report_text r = report_of("rethrown");
  ASSERT_EQ(r.blocks.size(), 1u);
  EXPECT_FALSE(r.blocks[0].shows("throws_at"));
  EXPECT_FALSE(r.blocks[0].shows("__cxa_rethrow"));
  EXPECT_FALSE(r.blocks[0].functions.empty());
}

[[gnu::noinline]] void unlocks(pirn::mutex& m) {
  m.unlock();
  std::printf("went on\n");
}
PIRN_CHILD(unlock) {
  return pirn::run(with_procs(1), [] {
    pirn::mutex m;
    unlocks(m);
  });
}
TEST(fatal_report, shows_the_stack_of_the_goroutine_that_did_it) {
  const report_text r = report_of("unlock");
  EXPECT_EQ(r.message, "fatal error: sync: unlock of unlocked mutex\n\n");
  ASSERT_EQ(r.blocks.size(), 1u);
  EXPECT_EQ(r.blocks[0].header, "goroutine 1 [running]:");
  EXPECT_TRUE(r.blocks[0].shows("unlocks(pirn::mutex&)"));
  EXPECT_EQ(r.blocks[0].creator, "");
}

PIRN_CHILD(exits_main) {
  return pirn::run(with_procs(1), [] { pirn::runtime::goexit(); });
}
TEST(fatal_report, of_a_main_that_called_goexit_has_no_stack) {
  const auto result = run_child("exits_main");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.output, "fatal error: no goroutines (main called runtime.Goexit) - deadlock!\n");
}

// A thread that is no goroutine's finds no way to go on: its own stack, then all goroutines as the runtime sees them.
void expect_runtime_report(const report_text& r, const std::string& message) {
  EXPECT_TRUE(std::regex_match(r.message, std::regex(message))) << r.message;
  ASSERT_GE(r.blocks.size(), 2u);
  EXPECT_EQ(r.blocks[0].header, "runtime stack:");
  EXPECT_FALSE(r.blocks[0].functions.empty());
  EXPECT_NE(r.blocks[0].places[0].find(" fp=0x"), std::string::npos) << r.blocks[0].places[0];
  EXPECT_TRUE(std::regex_match(r.blocks[1].header, std::regex(R"(goroutine 1 gp=0x[0-9a-f]+ m=.* \[.+\]:)")))
      << r.blocks[1].header;
}

void block_at_once(int calls) {
  std::counting_semaphore<> never(0);
  pirn::wait_group wg;
  for (int i = 0; i < calls; ++i) {
    wg.go([&] { pirn::runtime::blocking([&] { never.acquire(); }); });
  }
  wg.wait();
}

PIRN_CHILD(too_many_threads) {
  return pirn::run(with_procs(1), [] {
    pirn::runtime::set_max_threads(10);
    block_at_once(20);
  });
}
TEST(thread_exhaustion, is_reported_with_all_goroutines) {
  const report_text r = report_of("too_many_threads");
  expect_runtime_report(r, "runtime: program exceeds 10-thread limit\nfatal error: thread exhaustion\n\n");
  EXPECT_GE(r.blocks.size(), 20u);
}

// RLIMIT_NPROC does not bind root, so root becomes an unused user first; it counts the threads of the user.
bool forbid_threads() {
  constexpr uid_t k_unused_user = 61235;
  if (geteuid() == 0 && setresuid(k_unused_user, k_unused_user, k_unused_user) != 0) return false;
  const rlimit none{1, 1};
  return setrlimit(RLIMIT_NPROC, &none) == 0;
}
PIRN_CHILD(no_more_threads) {
  return pirn::run(with_procs(1), [] {
    if (!forbid_threads()) return k_child_cannot_run;
    block_at_once(20);
    return 0;
  });
}
TEST(thread_exhaustion, of_the_system_is_reported_with_its_reason) {
  const auto result = run_child("no_more_threads");
  if (result.exit_code == k_child_cannot_run) GTEST_SKIP() << "threads cannot be limited here";
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  const report_text r = parse_report(result.output);
  EXPECT_TRUE(r.well_formed) << r.malformed;
  expect_runtime_report(r,
                        "runtime: failed to create new OS thread \\(have \\d+ already; errno=11\\)\n"
                        "runtime: may need to increase max user processes \\(ulimit -u\\)\n"
                        "fatal error: newosproc\n\n");
}

#ifndef __SANITIZE_THREAD__  // it has a thread of its own, which might do anything
[[gnu::noinline]] void locks(pirn::mutex& m) {
  m.lock();
  std::printf("went on\n");
}
PIRN_CHILD(deadlock) {
  return pirn::run(with_procs(2), [] {
    pirn::mutex m;
    m.lock();
    pirn::go([&m] { locks(m); });
    pirn::select();
  });
}
TEST(deadlock_report, shows_every_goroutine_with_its_stack_and_creator) {
  const report_text r = report_of("deadlock");
  EXPECT_EQ(r.message, "fatal error: all goroutines are asleep - deadlock!\n\n");
  ASSERT_EQ(r.blocks.size(), 2u);
  EXPECT_EQ(r.blocks[0].header, "goroutine 1 [select (no cases)]:");
  EXPECT_EQ(r.blocks[0].creator, "");
  EXPECT_FALSE(r.blocks[0].functions.empty());
  EXPECT_TRUE(std::regex_match(r.blocks[1].header, std::regex(R"(goroutine \d+ \[sync\.Mutex\.Lock\]:)")))
      << r.blocks[1].header;
  EXPECT_TRUE(r.blocks[1].shows("locks(pirn::mutex&)"));
  EXPECT_NE(r.blocks[1].creator.find(" in goroutine 1"), std::string::npos);
}

PIRN_CHILD(locked_deadlock) {
  return pirn::run(with_procs(1), [] {
    pirn::runtime::lock_os_thread();
    pirn::select();
  });
}
TEST(deadlock_report, says_who_is_locked_to_a_thread) {
  const report_text r = report_of("locked_deadlock");
  ASSERT_EQ(r.blocks.size(), 1u);
  EXPECT_EQ(r.blocks[0].header, "goroutine 1 [select (no cases), locked to thread]:");
}
#endif

}  // namespace
