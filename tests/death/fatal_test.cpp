// Fatal errors: what no handler can stop. `fatal error: <text>`, the goroutine's header line, exit status 2. Also the
// ordinary ways to end a process from inside a goroutine.
// Layer: tests, through the public headers.
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "support/child.h"
#include "support/support.h"

namespace {

using namespace pirn_test;

void expect_fatal(const std::string& child, const std::string& text, const std::string& header) {
  const auto result = run_child(child);
  EXPECT_EQ(result.exit_code, 2) << child << ": " << result.describe();
  EXPECT_EQ(result.output.rfind("fatal error: " + text + "\n", 0), 0u) << child << ": " << result.describe();
  if (!header.empty()) {
    EXPECT_NE(result.output.find("\n\n" + header), std::string::npos) << child << ": " << result.describe();
  }
  EXPECT_EQ(result.output.find("went on"), std::string::npos) << child << ": " << result.describe();
}

// No handler sees a fatal error.
int misusing(const std::function<void()>& f) {
  return pirn::run(with_procs(1), [&] {
    try {
      f();
      std::printf("went on\n");
    } catch (...) {
      std::printf("a handler went on\n");
      std::fflush(stdout);
      throw;
    }
  });
}

constexpr const char* k_unlock = "sync: unlock of unlocked mutex";

// Go: TestMutexMisuse
PIRN_CHILD(unlock_new) {
  return misusing([] {
    pirn::mutex m;
    m.unlock();
  });
}
PIRN_CHILD(unlock_twice) {
  return misusing([] {
    pirn::mutex m;
    m.lock();
    m.unlock();
    m.unlock();
  });
}
PIRN_CHILD(unlock_after_contention) {
  return misusing([] {
    pirn::mutex m;
    m.lock();
    auto h = pirn::spawn([&] {
      m.lock();
      m.unlock();
    });
    let_others_run();
    m.unlock();
    h.get();
    m.unlock();
  });
}
PIRN_CHILD(unlock_by_guard) {
  return misusing([] {
    pirn::mutex m;
    std::scoped_lock hold(m);
    m.unlock();
  });
}
PIRN_CHILD(unlock_after_try_lock) {
  return misusing([] {
    pirn::mutex m;
    if (m.try_lock()) m.unlock();
    m.unlock();
  });
}
TEST(fatal, unlock_of_what_is_not_locked) {
  for (const char* child :
       {"unlock_new", "unlock_twice", "unlock_after_contention", "unlock_by_guard", "unlock_after_try_lock"}) {
    expect_fatal(child, k_unlock, "goroutine 1 [running]:\n");
  }
}

// Go: TestMutexMisuse, the RWMutex part
PIRN_CHILD(rw_unlock_new) {
  return misusing([] { pirn::shared_mutex().unlock(); });
}
PIRN_CHILD(rw_unlock_read_locked) {
  return misusing([] {
    pirn::shared_mutex m;
    m.lock_shared();
    m.unlock();
  });
}
PIRN_CHILD(rw_unlock_twice) {
  return misusing([] {
    pirn::shared_mutex m;
    m.lock();
    m.unlock();
    m.unlock();
  });
}
PIRN_CHILD(rw_runlock_new) {
  return misusing([] { pirn::shared_mutex().unlock_shared(); });
}
PIRN_CHILD(rw_runlock_write_locked) {
  return misusing([] {
    pirn::shared_mutex m;
    m.lock();
    m.unlock_shared();
  });
}
PIRN_CHILD(rw_runlock_twice) {
  return misusing([] {
    pirn::shared_mutex m;
    m.lock_shared();
    m.unlock_shared();
    m.unlock_shared();
  });
}
TEST(fatal, unlock_of_a_shared_mutex_that_is_not_locked) {
  for (const char* child : {"rw_unlock_new", "rw_unlock_read_locked", "rw_unlock_twice"}) {
    expect_fatal(child, "sync: Unlock of unlocked RWMutex", "goroutine 1 [running]:\n");
  }
  for (const char* child : {"rw_runlock_new", "rw_runlock_write_locked", "rw_runlock_twice"}) {
    expect_fatal(child, "sync: RUnlock of unlocked RWMutex", "goroutine 1 [running]:\n");
  }
}

PIRN_CHILD(unlock_in_goroutine) {
  return pirn::run(with_procs(2), [] {
    pirn::go([] {
      pirn::mutex m;
      m.unlock();
    });
    pirn::chan<int>(1).recv();
  });
}
TEST(fatal, names_the_goroutine) {
  const auto result = run_child("unlock_in_goroutine");
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  EXPECT_EQ(result.output.rfind(std::string("fatal error: ") + k_unlock + "\n\ngoroutine ", 0), 0u)
      << result.describe();
  EXPECT_EQ(result.output.find("goroutine 1 ["), std::string::npos) << "main did nothing: " << result.describe();
}

PIRN_CHILD(unlock_on_thread) {
  return pirn::run(with_procs(1), [] {
    std::thread t([] {
      pirn::mutex m;
      m.unlock();
    });
    pirn_test::join(t);
    std::printf("went on\n");
  });
}
PIRN_CHILD(unlock_outside_a_run) {
  pirn::mutex m;
  m.unlock();
  std::printf("went on\n");
  return 0;
}
TEST(fatal, unlock_of_what_is_not_locked_on_a_plain_thread) {
  expect_fatal("unlock_on_thread", k_unlock, "");
  expect_fatal("unlock_outside_a_run", k_unlock, "");
}

// Go: TestGoNil
PIRN_CHILD(go_of_nil) {
  return misusing([] {
    void (*f)() = nullptr;
    pirn::go(f);
    let_others_run();
  });
}
TEST(fatal, go_of_nil) { expect_fatal("go_of_nil", "go of nil func value", "goroutine 1 [running]:\n"); }

// Ending the process on purpose works from any goroutine.
PIRN_CHILD(exit_in_goroutine) {
  return pirn::run(with_procs(2), [] {
    for (int i = 0; i < 10; ++i) {
      pirn::go([] {
        for (;;) pirn::runtime::gosched();
      });
    }
    pirn::go([] {
      let_others_run();
      std::exit(5);
    });
    pirn::chan<int>(1).recv();
  });
}
PIRN_CHILD(quick_exit_in_goroutine) {
  return pirn::run(with_procs(2), [] {
    pirn::go([] { std::_Exit(6); });
    pirn::chan<int>(1).recv();
  });
}
PIRN_CHILD(exit_in_main) {
  return pirn::run(with_procs(2), [] {
    pirn::go([] {
      for (;;) pirn::runtime::gosched();
    });
    std::exit(7);
  });
}
TEST(exit, from_a_goroutine_ends_the_process) {
  for (const auto& [child, code] :
       {std::pair{"exit_in_goroutine", 5}, {"quick_exit_in_goroutine", 6}, {"exit_in_main", 7}}) {
    const auto result = run_child(child);
    EXPECT_EQ(result.exit_code, code) << child << ": " << result.describe();
  }
}

PIRN_CHILD(returns_mains_result) {
  return pirn::run([] { return 9; });
}
TEST(exit, with_what_main_returned) { EXPECT_EQ(run_child("returns_mains_result").exit_code, 9); }

// std::terminate is the C++ programmer's: a violated noexcept aborts, as in any program.
[[gnu::noinline]] void throws() { throw 1; }
PIRN_CHILD(violated_noexcept) {
  return pirn::run([] {
    pirn::go([]() noexcept { throws(); });
    pirn::chan<int>(1).recv();
  });
}
TEST(exit, by_terminate_is_an_abort) {
  const auto result = run_child("violated_noexcept");
  EXPECT_EQ(result.signal, SIGABRT) << result.describe();
}

}  // namespace
