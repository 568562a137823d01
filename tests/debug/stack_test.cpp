// runtime::stack(): Go's text for one goroutine and for all of them, while the program goes on.
// Layer: tests, through the public headers. Go: TestNumGoroutine, TestStack; the golden text go-gor.
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <set>
#include <string>
#include <thread>

#include "support/report.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

std::atomic<int> sink{0};

[[gnu::noinline]] void waits_on(const pirn::chan<void>& c) {
  c.recv();
  sink = 1;
}
[[gnu::noinline]] std::string asks(bool all) {
  std::string text = pirn::runtime::stack(all);
  sink = 2;
  return text;
}
[[gnu::noinline]] void computes(std::atomic<bool>& running, const std::atomic<bool>& stop) {
  running = true;
  while (!stop) {
  }
}

report_text all_stacks() {
  const std::string text = asks(true);
  // The regular expressions of the library recurse for each character.
  pirn::spawn_options deep;
  deep.stack_size = 8 << 20;
  report_text r = pirn::spawn(deep, [&text] { return parse_report(text); }).get();
  EXPECT_TRUE(r.well_formed) << "the line '" << r.malformed << "' in: " << text;
  EXPECT_EQ(r.message, "") << text;
  return r;
}

TEST(stack, of_the_caller_begins_with_the_caller) {
  run_on(1, [] {
    const report_text r = parse_report(asks(false));
    ASSERT_EQ(r.blocks.size(), 1u);
    EXPECT_EQ(r.blocks[0].header, "goroutine 1 [running]:");
    ASSERT_FALSE(r.blocks[0].functions.empty());
    EXPECT_NE(r.blocks[0].functions[0].find("asks(bool"), std::string::npos) << r.blocks[0].functions[0];
  });
}

TEST(stack, is_empty_where_there_is_no_goroutine) {
  EXPECT_EQ(pirn::runtime::stack(), "");
  EXPECT_EQ(pirn::runtime::stack(true), "");
  run_on(1, [] {
    std::thread t([] { EXPECT_EQ(pirn::runtime::stack(), ""); });
    join(t);
  });
}

class stacks : public on_procs {};
PIRN_TEST_ON_PROCS(stacks);

TEST_P(stacks, of_all_have_state_frames_name_and_creator) {
  run([] {
    const pirn::chan<void> c;
    pirn::mutex m;
    m.lock();
    pirn::wait_group ended;
    ended.add(2);
    pirn::go({"first waiter", 0}, [&] {
      waits_on(c);
      ended.done();
    });
    pirn::go([&] {
      pirn::runtime::lock_os_thread();
      m.lock();
      m.unlock();
      ended.done();
    });
    const report_text r = all_stacks();
    EXPECT_EQ(r.blocks.size(), 3u);
    EXPECT_EQ(r.blocks[0].header, "goroutine 1 [running]:") << "the caller comes first";
    for (std::size_t i = 1; i < r.blocks.size(); ++i)
      EXPECT_NE(r.blocks[i].creator.find(" in goroutine 1"), std::string::npos);
    yield_until([] {
      const report_text later = all_stacks();
      const report_block* waiter = later.of("[chan receive] {name: \"first waiter\"}:");
      return waiter != nullptr && waiter->shows("waits_on(") &&
             later.of("[sync.Mutex.Lock, locked to thread]:") != nullptr;
    });
    c.close();
    m.unlock();
    ended.wait();
  });
}

TEST(stacks_of_running_goroutines, are_there_too) {
  if (k_tsan) GTEST_SKIP() << "it delivers signals when it sees fit";
  run_on(2, [] {
    std::atomic<bool> running{false};
    std::atomic<bool> stop{false};
    pirn::wait_group ended;
    ended.go([&] { computes(running, stop); });
    yield_until([&] { return running.load(); });
    // A machine that is busy may not let it answer in time.
    bool seen = false;
    while (!seen) {
      const report_text r = all_stacks();
      for (const report_block& b : r.blocks) seen = seen || b.shows("computes(");
    }
    stop = true;
    ended.wait();
  });
}

// A goroutine in a native sleep is shown with the library's frames, and sleeps as long as it was to.
[[gnu::noinline]] void sleeps_natively(std::atomic<bool>& slept) {
  timespec t{0, 100'000'000};
  while (!slept) slept = nanosleep(&t, nullptr) == 0 || errno != EINTR;
}
TEST(stacks_of_sleeping_threads, are_read_without_waking_them) {
  run_on(1, [] {
    std::atomic<bool> slept{false};
    std::atomic<bool> shown{false};
    pirn::wait_group ended;
    ended.go([&] { pirn::runtime::blocking([&] { sleeps_natively(slept); }); });
    while (!slept) {
      const report_text r = all_stacks();
      const report_block* b = r.of("[syscall, locked to thread]");
      if (b != nullptr && b->shows("sleeps_natively(")) shown = true;
    }
    ended.wait();
    EXPECT_TRUE(shown);
  });
}

// Whatever goes on meanwhile, every goroutine that lives all the while is there once.
TEST_P(stacks, of_all_are_complete_while_others_come_and_go) {
  run([] {
    const int n = scaled(2000);
    const pirn::chan<void> c;
    pirn::wait_group ended;
    ended.add(n);
    for (int i = 0; i < n; ++i) {
      pirn::go({"steady", 0}, [&] {
        waits_on(c);
        ended.done();
      });
    }
    std::atomic<bool> stop{false};
    pirn::wait_group busy;
    for (int i = 0; i < 4; ++i) {
      busy.go([&] {
        while (!stop) {
          pirn::spawn([] { pirn::runtime::gosched(); }).join();
          pirn::runtime::gosched();
        }
      });
    }
    for (int round = 0; round < 5; ++round) {
      const report_text r = all_stacks();
      std::set<std::string> headers;
      int steady = 0;
      for (const report_block& b : r.blocks) {
        EXPECT_TRUE(headers.insert(b.header).second) << "twice: " << b.header;
        if (b.header.find("{name: steady}") != std::string::npos) ++steady;
      }
      EXPECT_EQ(steady, n);
    }
    stop = true;
    busy.wait();
    c.close();
    ended.wait();
  });
}

TEST_P(stacks, may_be_taken_by_several_at_once_and_from_threads) {
  run([] {
    pirn::wait_group ended;
    for (int i = 0; i < 4; ++i) {
      ended.go([] {
        for (int k = 0; k < 20; ++k) EXPECT_GE(all_stacks().blocks.size(), 1u);
      });
    }
    std::thread t([] {
      for (int k = 0; k < 20; ++k) all_stacks();
    });
    join(t);
    ended.wait();
  });
}

}  // namespace
