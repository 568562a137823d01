// goexit(): the goroutine ends as if unwound by an exception that only destructors see.
// Swallowing it with catch (...) is fatal; tests/death checks that.
// Layer: tests of src/sched, through the public headers.
#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class goexit : public on_procs {};
PIRN_TEST_ON_PROCS(goexit);

[[gnu::noinline]] void exit_at_depth(int depth, std::atomic<int>& destroyed) {
  tell_when_destroyed guard(destroyed);
  if (depth > 0) {
    exit_at_depth(depth - 1, destroyed);
  } else if (depth == 0) {
    pirn::runtime::goexit();
  }
}

TEST_P(goexit, runs_the_destructors_of_every_frame_and_nothing_else) {
  std::atomic<int> destroyed{0}, captures{0}, went_on{0};
  run([&] {
    pirn::go([&, capture = tell_when_destroyed(captures)] {
      exit_at_depth(9, destroyed);
      ++went_on;
    });
    expect_no_other_goroutine();
  });
  EXPECT_EQ(destroyed, 10);
  EXPECT_EQ(captures, 1);
  EXPECT_EQ(went_on, 0);
}

TEST_P(goexit, is_seen_by_no_handler_for_a_type) {
  std::atomic<int> caught{0};
  run([&] {
    pirn::spawn([&] {
      try {
        pirn::runtime::goexit();
      } catch (const std::exception&) {
        ++caught;
      } catch (int) {
        ++caught;
      }
      ++caught;
    }).join();
  });
  EXPECT_EQ(caught, 0);
}

// Go: TestRecoverBeforePanicAfterGoexit and its kin: a goexit survives a recover, here a handler that rethrows.
TEST_P(goexit, passes_through_a_catch_all_that_rethrows) {
  std::atomic<int> passed{0}, went_on{0};
  run([&] {
    auto h = pirn::spawn([&] {
      try {
        try {
          pirn::runtime::goexit();
        } catch (...) {
          ++passed;
          throw;
        }
      } catch (...) {
        ++passed;
        throw;
      }
      ++went_on;
    });
    EXPECT_THROW(h.get(), pirn::goroutine_exited);
  });
  EXPECT_EQ(passed, 2);
  EXPECT_EQ(went_on, 0);
}

// Go: TestRecoveredPanicAfterGoexit
TEST_P(goexit, goes_on_after_a_destructor_threw_and_caught) {
  struct throws_inside {
    std::atomic<int>& count;
    ~throws_inside() {
      try {
        throw std::runtime_error("inside a destructor");
      } catch (const std::runtime_error&) {
        ++count;
      }
    }
  };
  std::atomic<int> count{0};
  run([&] {
    auto h = pirn::spawn([&] {
      throws_inside a{count}, b{count};
      pirn::runtime::goexit();
    });
    EXPECT_THROW(h.get(), pirn::goroutine_exited);
  });
  EXPECT_EQ(count, 2);
}

// Go: TestGoexitInPanic, its benign form: exiting while an exception is being handled.
TEST_P(goexit, works_inside_a_handler) {
  std::atomic<int> destroyed{0};
  run([&] {
    auto h = pirn::spawn([&] {
      tell_when_destroyed guard(destroyed);
      try {
        throw std::runtime_error("handled");
      } catch (const std::runtime_error&) {
        pirn::runtime::goexit();
      }
    });
    EXPECT_THROW(h.get(), pirn::goroutine_exited);
    EXPECT_FALSE(std::current_exception());
  });
  EXPECT_EQ(destroyed, 1);
}

TEST_P(goexit, lets_destructors_park) {
  struct sends_on_exit {
    pirn::chan<int> c;
    ~sends_on_exit() { c.send(7); }
  };
  run([] {
    pirn::chan<int> c;
    pirn::go([c] {
      sends_on_exit s{c};
      pirn::runtime::goexit();
    });
    EXPECT_EQ(c.recv(), 7);
  });
}

TEST_P(goexit, releases_locks_and_wait_groups) {
  run([] {
    pirn::mutex m;
    pirn::wait_group wg;
    for (int i = 0; i < 20; ++i) {
      wg.go([&] {
        std::scoped_lock hold(m);
        pirn::runtime::gosched();
        pirn::runtime::goexit();
      });
    }
    wg.wait();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

TEST_P(goexit, works_after_the_goroutine_changed_threads) {
  run([] {
    std::vector<pirn::join_handle<void>> all;
    for (int i = 0; i < 200; ++i) {
      all.push_back(pirn::spawn([] {
        let_others_run(10);
        pirn::runtime::goexit();
      }));
    }
    for (auto& h : all) EXPECT_THROW(h.get(), pirn::goroutine_exited);
  });
}

}  // namespace
