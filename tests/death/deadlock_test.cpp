// When nothing can ever go on, the process says so and ends; while anything still might, it says nothing.
// Layer: tests. Go: SimpleDeadlock, LockedDeadlock in runtime/crash_test.go; the golden report go-deadlock.

#include <gtest/gtest.h>
#include <pirn/pirn.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/child.h"

namespace {

using namespace std::chrono_literals;

PIRN_CHILD(everybody_waits) {
  return pirn::run([] {
    const pirn::chan<int> never;
    pirn::mutex held;
    held.lock();
    pirn::go([&held] { held.lock(); });
    pirn::runtime::gosched();
    pirn::select();
    never.recv();
  });
}

PIRN_CHILD(nil_channel) {
  return pirn::run([] { pirn::chan<int>(nullptr).recv(); });
}

PIRN_CHILD(a_timer_is_pending) {
  return pirn::run([] { return pirn::after(100ms).recv() ? 7 : 1; });
}

PIRN_CHILD(a_section_blocks) {
  return pirn::run([] {
    const pirn::chan<int> c;
    pirn::go([c] {
      pirn::runtime::blocking([] { std::this_thread::sleep_for(100ms); });
      c.send(7);
    });
    return *c.recv();
  });
}

PIRN_CHILD(a_thread_may_send) {
  const pirn::chan<int> c;
  std::thread sender([c] {
    std::this_thread::sleep_for(100ms);
    c.send(7);
  });
  const int got = pirn::run([c] { return *c.recv(); });
  sender.join();
  return got;
}

// A thread that has been woken and does not come to run, as on a machine that is busy elsewhere: a handler holds it.
void holds_its_thread(int) { usleep(200'000); }

PIRN_CHILD(a_thread_is_slow_to_wake) {
  const pirn::chan<int> question;
  const pirn::chan<int> answer;
  std::atomic<bool> asks{false};
  signal(SIGUSR1, holds_its_thread);
  std::thread slow([&] {
    asks = true;
    answer.send(*question.recv() + 1);
  });
  const int got = pirn::run([&] {
    while (!asks) pirn::runtime::gosched();
    pirn::sleep_for(20ms);  // it most likely waits by now
    pthread_kill(slow.native_handle(), SIGUSR1);
    pirn::sleep_for(20ms);
    question.send(6);
    return *answer.recv();
  });
  slow.join();
  return got;
}

#ifndef __SANITIZE_THREAD__  // it has a thread of its own, which might do anything
TEST(Deadlock, is_reported_with_every_goroutine_and_its_wait_reason) {
  const auto r = pirn_test::run_child("everybody_waits");
  EXPECT_EQ(r.exit_code, 2) << r.describe();
  EXPECT_EQ(r.output.find("fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [select (no cases)]:\n"),
            0u)
      << r.describe();
  EXPECT_NE(r.output.find("[sync.Mutex.Lock]:"), std::string::npos) << r.describe();
}

TEST(Deadlock, of_main_alone_on_a_nil_channel_is_reported) {
  const auto r = pirn_test::run_child("nil_channel");
  EXPECT_EQ(r.exit_code, 2) << r.describe();
  EXPECT_NE(r.output.find("goroutine 1 [chan receive (nil chan)]:"), std::string::npos) << r.describe();
}
#endif

TEST(Deadlock, is_not_cried_while_a_timer_a_section_or_a_thread_may_go_on) {
  for (const char* name : {"a_timer_is_pending", "a_section_blocks", "a_thread_may_send", "a_thread_is_slow_to_wake"}) {
    const auto r = pirn_test::run_child(name);
    EXPECT_EQ(r.exit_code, 7) << name << ": " << r.describe();
  }
}

}  // namespace
