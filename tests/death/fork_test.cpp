// fork() while a run is under way: the child may exec; what it calls of pirn ends it with a clear text, and the parent
// does not notice. Layer: tests, through the public headers.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "support/child.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

// The exit status of a child that does `what`; -1 when it has none.
template <class F>
int status_of_fork(F what) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(20);  // instead of a hang
    what();
    _exit(9);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The parent forks from a goroutine beside others, and can still do all that it could.
template <class F>
int fork_beside_others(F what) {
  return pirn::run(with_procs(2), [&] {
    const pirn::chan<int> there, back;
    pirn::go([=] {
      for (const int v : there) back.send(v);
    });
    const int status = status_of_fork([&] { what(there); });
    there.send(1);
    return back.recv() == 1 ? status : 100;
  });
}

PIRN_CHILD(execs) {
  return fork_beside_others([](const pirn::chan<int>&) { execlp("sh", "sh", "-c", "exit 7", nullptr); });
}
TEST(fork_in_a_goroutine, may_exec) {
  const auto result = run_child("execs");
  EXPECT_EQ(result.exit_code, 7) << result.describe();
  EXPECT_EQ(result.output, "");
}

PIRN_CHILD(sends) {
  return fork_beside_others([](const pirn::chan<int>& c) { c.send(1); });
}
PIRN_CHILD(starts) {
  return fork_beside_others([](const pirn::chan<int>&) { pirn::go([] {}); });
}
PIRN_CHILD(sleeps) {
  return fork_beside_others([](const pirn::chan<int>&) { pirn::sleep_for(1ms); });
}
PIRN_CHILD(yields) {
  return fork_beside_others([](const pirn::chan<int>&) { pirn::runtime::gosched(); });
}
TEST(fork_in_a_goroutine, then_a_call_into_pirn_is_a_fatal_error_of_the_child) {
  for (const char* child : {"sends", "starts", "sleeps", "yields"}) {
    const auto result = run_child(child);
    EXPECT_EQ(result.exit_code, 2) << child << ": " << result.describe();
    EXPECT_EQ(result.output.rfind("fatal error: fork in a goroutine: the child may only exec or _exit\n", 0), 0u)
        << child << ": " << result.describe();
  }
}

// As one that forgets to exec.
PIRN_CHILD(returns) {
  return pirn::run(with_procs(2), [] {
    const pid_t pid = fork();
    if (pid == 0) return 3;
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  });
}
TEST(fork_in_a_goroutine, whose_child_returns_from_main_is_a_fatal_error_of_the_child) {
  const auto result = run_child("returns");
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  EXPECT_NE(result.output.find("fork in a goroutine"), std::string::npos) << result.describe();
}

// To the child of another thread there is no run.
PIRN_CHILD(on_a_thread) {
  return pirn::run(with_procs(2), [] {
    int status = 0;
    std::thread t([&] {
      status = status_of_fork([] {
        try {
          pirn::go([] {});
        } catch (const std::logic_error&) {
          _exit(8);
        }
      });
    });
    pirn_test::join(t);
    return status;
  });
}
TEST(fork_on_a_thread, leaves_the_run_behind) {
  const auto result = run_child("on_a_thread");
  EXPECT_EQ(result.exit_code, 8) << result.describe();
}

}  // namespace
