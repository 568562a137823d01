// once: one call, and nobody goes on before it has ended, however it ends.
// Layer: tests of src/sync, through the public headers.
#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class once : public on_procs {};
PIRN_TEST_ON_PROCS(once);

// Go: TestOnce
TEST_P(once, calls_once_among_many) {
  run([] {
    for (int round = 0; round < scaled(500); ++round) {
      pirn::once o;
      int calls = 0;  // not atomic: call() orders it
      pirn::wait_group wg;
      for (int i = 0; i < 10; ++i) {
        wg.go([&] {
          o.call([&] { ++calls; });
          ASSERT_EQ(calls, 1);
        });
      }
      wg.wait();
      ASSERT_EQ(calls, 1);
      ASSERT_TRUE(o.done());
    }
  });
}

TEST_P(once, makes_others_wait_for_the_end) {
  run([] {
    pirn::once o;
    const pirn::chan<void> inside, release;
    EXPECT_FALSE(o.done());
    auto first = pirn::spawn([&] {
      o.call([&] {
        inside.send();
        release.recv();
      });
    });
    inside.recv();
    std::vector<pirn::join_handle<void>> others;
    for (int i = 0; i < 20; ++i) {
      others.push_back(pirn::spawn([&] { o.call([] { ADD_FAILURE() << "called twice"; }); }));
    }
    let_others_run();
    for (auto& h : others) EXPECT_FALSE(h.ready());
    EXPECT_FALSE(o.done());
    release.send();
    first.get();
    for (auto& h : others) h.get();
    EXPECT_TRUE(o.done());
  });
}

// Go: TestOncePanic. What fails is done too.
TEST_P(once, counts_an_exception_as_done) {
  run([] {
    pirn::once o;
    EXPECT_THROW(o.call([] { throw std::runtime_error("first"); }), std::runtime_error);
    EXPECT_TRUE(o.done());
    o.call([] { ADD_FAILURE() << "called twice"; });
  });
}

TEST_P(once, lets_those_go_on_who_waited_for_what_failed) {
  run([] {
    pirn::once o;
    const pirn::chan<void> inside, release;
    auto first = pirn::spawn([&] {
      o.call([&] {
        inside.send();
        release.recv();
        throw std::runtime_error("first");
      });
    });
    inside.recv();
    auto second = pirn::spawn([&] { o.call([] { ADD_FAILURE() << "called twice"; }); });
    let_others_run();
    EXPECT_FALSE(second.ready());
    release.send();
    EXPECT_NO_THROW(second.get());
    EXPECT_THROW(first.get(), std::runtime_error);
  });
}

// Go: TestOnceFuncGoexit in spirit
TEST_P(once, counts_goexit_as_done) {
  run([] {
    pirn::once o;
    auto h = pirn::spawn([&] { o.call([] { pirn::runtime::goexit(); }); });
    EXPECT_THROW(h.get(), pirn::goroutine_exited);
    EXPECT_TRUE(o.done());
    o.call([] { ADD_FAILURE() << "called twice"; });
  });
}

TEST_P(once, takes_move_only_functions_and_different_ones) {
  run([] {
    pirn::once a, b;
    int got = 0;
    a.call([p = std::make_unique<int>(3), &got] { got = *p; });
    b.call([&] { a.call([&] { got = 9; }); });
    EXPECT_EQ(got, 3);
    EXPECT_TRUE(b.done());
  });
}

TEST_P(once, works_between_threads_and_goroutines) {
  run([] {
    for (int round = 0; round < scaled(50); ++round) {
      pirn::once o;
      int calls = 0;
      pirn::wait_group wg;
      std::vector<std::thread> threads;
      const auto call = [&] {
        o.call([&] { ++calls; });
        ASSERT_EQ(calls, 1);
      };
      for (int i = 0; i < 4; ++i) {
        threads.emplace_back(call);
        wg.go(call);
      }
      wg.wait();
      for (auto& t : threads) join(t);
    }
  });
}

TEST(once_outside_a_run, works) {
  pirn::once o;
  int calls = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { o.call([&] { ++calls; }); });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(calls, 1);
}

TEST(once_outside_a_run, outlives_those_who_were_abandoned_while_they_waited) {
  pirn::once o;
  std::thread t;
  std::atomic<bool> inside{false}, release{false};
  run_and_abandon(2, [&] {
    t = std::thread([&] {
      o.call([&] {
        inside = true;
        spin_until([&] { return release.load(); });
      });
    });
    yield_until([&] { return inside.load(); });
    for (int i = 0; i < 10; ++i) {
      pirn::go([&] { o.call([] {}); });
    }
    let_others_run();
  });
  release = true;
  t.join();
  EXPECT_TRUE(o.done());
}

TEST_P(once, may_be_destroyed_when_every_call_has_returned) {
  run([] {
    for (int i = 0; i < scaled(3000); ++i) {
      auto o = std::make_unique<pirn::once>();
      auto h = pirn::spawn([&] { o->call([] { pirn::runtime::gosched(); }); });
      o->call([] { pirn::runtime::gosched(); });
      h.get();
      o.reset();
    }
  });
}

}  // namespace
