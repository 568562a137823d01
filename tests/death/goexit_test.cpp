// goexit() where it is misused, and goexit() of main.
// Layer: tests, through the public headers.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/child.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

PIRN_CHILD(swallowed) {
  pirn::run(with_procs(1), [] {
    auto h = pirn::spawn([] {
      try {
        pirn::runtime::goexit();
      } catch (...) {
      }
      std::printf("went on\n");
      std::fflush(stdout);
    });
    h.join();
    std::printf("main went on\n");
  });
  return 0;
}
PIRN_CHILD(swallowed_and_replaced) {
  pirn::run(with_procs(1), [] {
    auto h = pirn::spawn([] {
      try {
        pirn::runtime::goexit();
      } catch (...) {
        throw std::runtime_error("another");
      }
    });
    h.join();
    std::printf("main went on\n");
  });
  return 0;
}
TEST(goexit_death, swallowing_it_is_fatal) {
  for (const char* child : {"swallowed", "swallowed_and_replaced"}) {
    const auto result = run_child(child);
    EXPECT_EQ(result.exit_code, 2) << child << ": " << result.describe();
    EXPECT_EQ(result.output.rfind("fatal error: ", 0), 0u) << child << ": " << result.describe();
    EXPECT_NE(result.output.find("goexit"), std::string::npos) << child << ": " << result.describe();
    EXPECT_EQ(result.output.find("went on"), std::string::npos) << child << ": " << result.describe();
  }
}

// The same for the forced unwind at the end of a run.
PIRN_CHILD(swallowed_at_exit) {
  pirn::config c = with_procs(1);
  c.at_exit = pirn::at_exit::unwind;
  const pirn::chan<int> never;
  pirn::run(c, [&] {
    pirn::go([&] {
      try {
        never.recv();
      } catch (...) {
      }
    });
    let_others_run();
  });
  std::printf("run went on\n");
  return 0;
}
TEST(goexit_death, swallowing_the_unwind_at_exit_is_fatal) {
  const auto result = run_child("swallowed_at_exit");
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  EXPECT_EQ(result.output.rfind("fatal error: ", 0), 0u) << result.describe();
}

// Go: Goexit in main ends main's goroutine, and the others go on.
PIRN_CHILD(main_exits) {
  pirn::run(with_procs(2), [] {
    pirn::go([] {
      pirn::sleep_for(2ms);
      std::printf("the others go on\n");
      std::fflush(stdout);
      std::_Exit(5);
    });
    pirn::runtime::goexit();
  });
  std::printf("run returned\n");
  return 0;
}
TEST(goexit_death, main_may_exit_while_others_go_on) {
  const auto result = run_child("main_exits");
  EXPECT_EQ(result.exit_code, 5) << result.describe();
  EXPECT_EQ(result.output, "the others go on\n") << result.describe();
}

// Go: TestGoexitCrash, TestGoexitDeadlock
PIRN_CHILD(main_exits_alone) {
  pirn::run(with_procs(2), [] {
    pirn::go([] { let_others_run(); });
    pirn::runtime::goexit();
  });
  std::printf("run returned\n");
  return 0;
}
TEST(goexit_death, main_exiting_last_of_all_is_fatal) {
  const auto result = run_child("main_exits_alone");
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  EXPECT_EQ(result.output.rfind("fatal error: no goroutines (main called runtime.Goexit) - deadlock!\n", 0), 0u)
      << result.describe();
}

TEST(goexit_outside_a_goroutine, is_an_error) {
  EXPECT_THROW(pirn::runtime::goexit(), std::logic_error);
  run_on(1, [] {
    std::thread t([] { EXPECT_THROW(pirn::runtime::goexit(), std::logic_error); });
    join(t);
  });
}

}  // namespace
