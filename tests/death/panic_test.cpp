// Exceptions that nobody takes: the process ends as a Go program does that panics. `panic: <what>` with the type, the
// goroutine's header line, its creator, exit status 2.
// Layer: tests, through the public headers.
#include <cstdio>
#include <functional>
#include <regex>
#include <stdexcept>
#include <string>

#include "support/child.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

// What every panic's report looks like; `what` and `type` as in its first line.
void expect_panic(const std::string& child, const std::string& what, const std::string& type) {
  const auto result = run_child(child);
  EXPECT_EQ(result.exit_code, 2) << child << ": " << result.describe();
  const std::size_t at = result.output.find("panic: " + what);
  ASSERT_NE(at, std::string::npos) << child << ": " << result.describe();
  EXPECT_TRUE(at == 0 || result.output[at - 1] == '\n') << result.describe();
  const std::string report = result.output.substr(at);
  EXPECT_NE(report.substr(0, report.find("\n\n")).find(type), std::string::npos) << "no type: " << result.describe();
  EXPECT_TRUE(std::regex_search(report, std::regex("\n\ngoroutine [0-9]+ \\[running[^\\]]*\\]:\n")))
      << result.describe();
  EXPECT_EQ(report.find("went on"), std::string::npos) << result.describe();
}

// Runs f in a goroutine that main waits for in vain.
int panicking(const std::function<void()>& f) {
  pirn::run(with_procs(2), [&] {
    pirn::go(f);
    pirn::chan<int>(1).recv();
    std::printf("main went on\n");
  });
  std::printf("run went on\n");
  return 0;
}

struct own_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct no_std_exception {};

PIRN_CHILD(exception_in_go) {
  return panicking([] { throw own_error("boom"); });
}
TEST(panic, is_what_an_exception_that_leaves_a_goroutine_is) { expect_panic("exception_in_go", "boom", "own_error"); }

// Go indents the later lines of a text.
PIRN_CHILD(two_lines) {
  return panicking([] { throw std::runtime_error("boom\nline2"); });
}
TEST(panic, indents_the_later_lines_of_its_text) { expect_panic("two_lines", "boom\n\tline2", "runtime_error"); }

PIRN_CHILD(thrown_int) {
  return panicking([] { throw 42; });
}
PIRN_CHILD(thrown_class) {
  return panicking([] { throw no_std_exception{}; });
}
TEST(panic, names_the_type_of_what_is_no_std_exception) {
  expect_panic("thrown_int", "", "int");
  expect_panic("thrown_class", "", "no_std_exception");
}

// Go: test/closedchan.go's errors, not recovered
PIRN_CHILD(send_on_closed) {
  return panicking([] {
    pirn::chan<int> c;
    c.close();
    c.send(1);
  });
}
PIRN_CHILD(close_of_nil) {
  return panicking([] { pirn::chan<int>(nullptr).close(); });
}
PIRN_CHILD(negative_makechan) {
  return panicking([] { pirn::chan<int>(-1); });
}
PIRN_CHILD(negative_counter) {
  return panicking([] { pirn::wait_group().done(); });
}
TEST(panic, is_what_channel_and_wait_group_errors_end_in) {
  expect_panic("send_on_closed", "send on closed channel", "closed_channel");
  expect_panic("close_of_nil", "close of nil channel", "nil_channel");
  expect_panic("negative_makechan", "makechan: size out of range", "invalid_argument");
  expect_panic("negative_counter", "sync: negative WaitGroup counter", "logic_error");
}

PIRN_CHILD(dropped_handle) {
  pirn::run(with_procs(1), [] {
    {
      auto h = pirn::spawn([] { throw own_error("nobody takes it"); });
    }
    pirn::chan<int>(1).recv();
  });
  return 0;
}
PIRN_CHILD(handle_dropped_later) {
  pirn::run(with_procs(1), [] {
    {
      auto h = pirn::spawn([] { throw own_error("nobody takes it"); });
      h.join();
    }
    pirn::chan<int>(1).recv();
  });
  return 0;
}
TEST(panic, is_what_an_exception_in_a_dropped_handle_is) {
  expect_panic("dropped_handle", "nobody takes it", "own_error");
  expect_panic("handle_dropped_later", "nobody takes it", "own_error");
}

// A scope's first exception that nobody took.
PIRN_CHILD(scope_not_waited_for) {
  pirn::run(with_procs(2), [] {
    {
      pirn::scope s;
      s.go([] { throw own_error("in a scope"); });
    }
    std::printf("main went on\n");
    std::fflush(stdout);
  });
  return 0;
}
TEST(panic, is_what_an_exception_that_a_scope_still_has_is) {
  expect_panic("scope_not_waited_for", "in a scope", "own_error");
}

// Go: TestIssue76126. A panic in WaitGroup.Go ends the process before Wait returns.
PIRN_CHILD(wait_group_go) {
  pirn::run(with_procs(2), [] {
    pirn::wait_group wg;
    wg.go([] { throw own_error("in a group"); });
    wg.wait();
    std::printf("wait went on\n");
    std::fflush(stdout);
  });
  return 0;
}
TEST(panic, in_a_wait_group_ends_the_process_before_wait_returns) {
  expect_panic("wait_group_go", "in a group", "own_error");
}

PIRN_CHILD(in_after_func) {
  pirn::run(with_procs(1), [] {
    pirn::after_func(100us, [] { throw own_error("later"); });
    pirn::chan<int>(1).recv();
  });
  return 0;
}
TEST(panic, in_an_after_func_ends_the_process) { expect_panic("in_after_func", "later", "own_error"); }

PIRN_CHILD(after_many_switches) {
  pirn::run(with_procs(4), [] {
    for (int i = 0; i < 100; ++i) {
      pirn::go([] {
        for (;;) pirn::runtime::gosched();
      });
    }
    pirn::go([] {
      let_others_run(20);
      try {
        throw own_error("rethrown elsewhere");
      } catch (...) {
        let_others_run(20);
        throw;
      }
    });
    pirn::chan<int>(1).recv();
  });
  return 0;
}
TEST(panic, ends_a_busy_process_too) { expect_panic("after_many_switches", "rethrown elsewhere", "own_error"); }

// Go: TestPanicRace. Several at once end the process once.
PIRN_CHILD(several_at_once) {
  pirn::run(with_procs(4), [] {
    for (int i = 0; i < 20; ++i) pirn::go([] { throw own_error("one of many"); });
    pirn::chan<int>(1).recv();
  });
  return 0;
}
TEST(panic, of_several_at_once_ends_the_process_once) {
  for (int i = 0; i < 5; ++i) expect_panic("several_at_once", "one of many", "own_error");
}

// Go: TestPanicDeadlockGosched. A text that yields while it is made still appears.
struct yields_in_what : std::exception {
  const char* what() const noexcept override {
    pirn::runtime::gosched();
    return "after a yield";
  }
};
PIRN_CHILD(yielding_text) {
  return panicking([] { throw yields_in_what(); });
}
TEST(panic, prints_a_text_that_yields) { expect_panic("yielding_text", "after a yield", "yields_in_what"); }

PIRN_CHILD(in_a_deep_child) {
  return panicking([] {
    pirn::go([] {
      pirn::go([] { throw own_error("three deep"); });
      pirn::chan<int>(1).recv();
    });
    pirn::chan<int>(1).recv();
  });
}
TEST(panic, names_who_created_the_goroutine) {
  const auto result = run_child("in_a_deep_child");
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  EXPECT_NE(result.output.find("\ncreated by "), std::string::npos) << result.describe();
}

// An exception that leaves main leaves run() and is the caller's: no panic.
PIRN_CHILD(main_throws) {
  try {
    pirn::run([] { throw own_error("for the caller"); });
  } catch (const own_error& e) {
    std::printf("caught %s\n", e.what());
    return 3;
  }
  return 0;
}
TEST(panic, is_not_what_an_exception_that_leaves_main_is) {
  const auto result = run_child("main_throws");
  EXPECT_EQ(result.exit_code, 3) << result.describe();
  EXPECT_EQ(result.output, "caught for the caller\n");
}

}  // namespace
