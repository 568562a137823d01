// scope: nothing it started outlives it, and its first exception is somebody's. One that nobody takes ends the process;
// tests/death checks that.
// Layer: tests of include/pirn/scope.h, through the public headers.
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class scope : public on_procs {};
PIRN_TEST_ON_PROCS(scope);

TEST_P(scope, ends_after_what_it_started) {
  run([] {
    std::atomic<int> ended{0};
    {
      pirn::scope s;
      for (int i = 0; i < 20; ++i) {
        s.go([&, i] {
          let_others_run(i);
          ++ended;
        });
      }
    }
    EXPECT_EQ(ended, 20);
    { const pirn::scope nothing; }
  });
}

TEST_P(scope, takes_arguments_and_move_only_callables) {
  run([] {
    std::atomic<int> sum{0};
    pirn::scope s;
    s.go([&](int a, const std::string& b) { sum += a + static_cast<int>(b.size()); }, 1, "abc");
    s.go([&, p = std::make_unique<int>(10)] { sum += *p; });
    s.go([&](std::unique_ptr<int> p) { sum += *p; }, std::make_unique<int>(100));
    s.wait();
    EXPECT_EQ(sum, 114);
  });
}

TEST_P(scope, may_be_filled_by_its_own_goroutines) {
  run([] {
    std::atomic<int> ran{0};
    {
      pirn::scope s;
      for (int i = 0; i < 10; ++i) {
        s.go([&] {
          ++ran;
          s.go([&] {
            ++ran;
            s.go([&] { ++ran; });
          });
        });
      }
    }
    EXPECT_EQ(ran, 30);
  });
}

TEST_P(scope, wait_rethrows_the_first_exception_once) {
  run([] {
    pirn::scope s;
    const pirn::chan<void> first_has_thrown;
    auto watcher = pirn::spawn([&] { first_has_thrown.recv(); });
    s.go([&] {
      struct tell {
        const pirn::chan<void>& c;
        ~tell() { c.close(); }
      } at_end{first_has_thrown};
      throw std::runtime_error("first");
    });
    watcher.get();
    let_others_run();
    for (int i = 0; i < 5; ++i) {
      s.go([] { throw std::logic_error("a later one"); });
    }
    EXPECT_ANY_THROW(s.wait());
    EXPECT_NO_THROW(s.wait());
    s.go([] { throw std::runtime_error("again"); });
    EXPECT_THROW(s.wait(), std::runtime_error);
  });
}

TEST_P(scope, an_exception_comes_after_the_others_have_ended) {
  run([] {
    std::atomic<bool> ended{false};
    pirn::scope s;
    s.go([] { throw std::runtime_error("early"); });
    s.go([&] {
      let_others_run();
      ended = true;
    });
    EXPECT_THROW(s.wait(), std::runtime_error);
    EXPECT_TRUE(ended);
  });
}

TEST_P(scope, goexit_ends_one_goroutine_only) {
  run([] {
    std::atomic<int> ran{0};
    pirn::scope s;
    s.go([] { pirn::runtime::goexit(); });
    s.go([&] { ++ran; });
    EXPECT_NO_THROW(s.wait());
    EXPECT_EQ(ran, 1);
  });
}

TEST_P(scope, an_exception_of_the_block_hides_those_of_its_goroutines) {
  run([] {
    std::atomic<bool> ended{false};
    try {
      pirn::scope s;
      s.go([] { throw std::runtime_error("in a goroutine"); });
      s.go([&] {
        let_others_run();
        ended = true;
      });
      throw std::logic_error("of the block");
    } catch (const std::exception& e) {
      EXPECT_STREQ(e.what(), "of the block");
    }
    EXPECT_TRUE(ended) << "the destructor joins while an exception is under way, too";
  });
}

TEST_P(scope, goexit_of_the_block_hides_the_exceptions_of_its_goroutines) {
  run([] {
    std::atomic<bool> ended{false};
    auto h = pirn::spawn([&] {
      pirn::scope s;
      s.go([&] {
        let_others_run();
        ended = true;
        throw std::runtime_error("in a goroutine");
      });
      pirn::runtime::goexit();
    });
    EXPECT_THROW(h.get(), pirn::goroutine_exited);
    EXPECT_TRUE(ended);
  });
}

TEST_P(scope, destroys_the_callable_before_it_counts_as_ended) {
  run([] {
    for (int i = 0; i < scaled(500); ++i) {
      std::atomic<int> destroyed{0};
      pirn::scope s;
      s.go([guard = tell_when_destroyed(destroyed)] { pirn::runtime::gosched(); });
      s.go([](const tell_when_destroyed&) { throw std::runtime_error("ends early"); }, tell_when_destroyed(destroyed));
      EXPECT_THROW(s.wait(), std::runtime_error);
      ASSERT_EQ(destroyed, 2);
    }
  });
}

TEST_P(scope, works_on_a_plain_thread) {
  run([] {
    std::atomic<int> ran{0};
    std::thread t([&] {
      pirn::scope s;
      for (int i = 0; i < 10; ++i) s.go([&] { ++ran; });
    });
    join(t);
    EXPECT_EQ(ran, 10);
  });
}

TEST_P(scope, nests) {
  run([] {
    std::atomic<int> leaves{0};
    pirn::scope outer;
    for (int i = 0; i < 5; ++i) {
      outer.go([&] {
        pirn::scope inner;
        for (int k = 0; k < 5; ++k) inner.go([&] { ++leaves; });
      });
    }
    outer.wait();
    EXPECT_EQ(leaves, 25);
  });
}

TEST(scope_outside_a_run, go_throws_and_counts_nothing) {
  pirn::scope s;
  EXPECT_THROW(s.go([] {}), std::logic_error);
  s.wait();
}

TEST(scope_outside_a_run, may_be_abandoned_with_what_it_started) {
  for (const int procs : {1, 2, 4}) {
    const pirn::chan<void> never;
    std::atomic<int> inside{0};
    run_and_abandon(procs, [&] {
      for (int i = 0; i < 5; ++i) {
        pirn::go([&] {
          pirn::scope s;
          for (int k = 0; k < 3; ++k) {
            s.go([&] {
              ++inside;
              never.recv();
            });
          }
        });
      }
      yield_until([&] { return inside == 15; });
    });
  }
}

}  // namespace
