// spawn() and join_handle: what get() gives, how often, from where, and what dropping the handle means.
// An exception that nobody takes ends the process; tests/death checks that.
// Layer: tests of src/sched, through the public headers.
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class spawn : public on_procs {};
PIRN_TEST_ON_PROCS(spawn);

TEST_P(spawn, gives_the_value) {
  run([] {
    pirn::join_handle<int> h = pirn::spawn([] { return 42; });
    EXPECT_EQ(h.get(), 42);
    EXPECT_EQ(pirn::spawn([](int a, int b) { return a * b; }, 6, 7).get(), 42);
    pirn::spawn([] {}).get();
    static_assert(std::is_void_v<decltype(pirn::spawn([] {}).get())>);
  });
}

TEST_P(spawn, gives_move_only_and_non_default_constructible_values) {
  struct no_default {
    explicit no_default(int v) : value(v) {}
    int value;
  };
  run([] {
    EXPECT_EQ(*pirn::spawn([] { return std::make_unique<int>(3); }).get(), 3);
    EXPECT_EQ(pirn::spawn([] { return no_default(4); }).get().value, 4);
    EXPECT_EQ(pirn::spawn([] { return std::string(1000, 'x'); }).get().size(), 1000u);
  });
}

TEST_P(spawn, takes_options) {
  run([] {
    EXPECT_EQ(pirn::spawn(
                  pirn::spawn_options{.name = "named", .stack_size = 1 << 20}, [](int v) { return v; }, 5)
                  .get(),
              5);
  });
}

struct coded_error : std::runtime_error {
  coded_error(const char* text, int c) : std::runtime_error(text), code(c) {}
  int code;
};

TEST_P(spawn, rethrows_what_the_function_threw) {
  run([] {
    auto h = pirn::spawn([]() -> int { throw coded_error("thrown in a goroutine", 17); });
    try {
      h.get();
      ADD_FAILURE() << "get() returned";
    } catch (const coded_error& e) {
      EXPECT_STREQ(e.what(), "thrown in a goroutine");
      EXPECT_EQ(e.code, 17);
    }
    EXPECT_THROW(pirn::spawn([] { throw 3; }).get(), int);
  });
}

TEST_P(spawn, get_works_once) {
  run([] {
    auto h = pirn::spawn([] { return 1; });
    h.get();
    EXPECT_THROW(h.get(), std::future_error);
    EXPECT_THROW(h.get(), std::future_error);

    auto failing = pirn::spawn([] { throw std::runtime_error("once"); });
    EXPECT_THROW(failing.get(), std::runtime_error);
    EXPECT_THROW(failing.get(), std::future_error) << "an exception is taken once too";
  });
}

TEST_P(spawn, join_waits_without_taking_the_result) {
  run([] {
    std::atomic<bool> ended{false};
    auto h = pirn::spawn([&] {
      let_others_run();
      ended = true;
      return 8;
    });
    h.join();
    EXPECT_TRUE(ended);
    EXPECT_TRUE(h.ready());
    h.join();
    EXPECT_EQ(h.get(), 8);

    auto failing = pirn::spawn([] { throw std::runtime_error("join does not throw"); });
    EXPECT_NO_THROW(failing.join());
    EXPECT_THROW(failing.get(), std::runtime_error);
  });
}

TEST_P(spawn, ready_tells_whether_get_would_park) {
  run([] {
    pirn::chan<void> release;
    auto h = pirn::spawn([release] {
      release.recv();
      return 1;
    });
    EXPECT_FALSE(h.ready());
    let_others_run();
    EXPECT_FALSE(h.ready());
    release.send();
    yield_until([&] { return h.ready(); });
    EXPECT_EQ(h.get(), 1);
  });
}

TEST_P(spawn, dropping_the_handle_detaches) {
  run([] {
    pirn::chan<int> out;
    {
      auto h = pirn::spawn([out] { out.send(1); });
    }
    EXPECT_EQ(out.recv(), 1);
    (void)pirn::spawn([out] { out.send(2); });
    EXPECT_EQ(out.recv(), 2);
  });
}

TEST_P(spawn, destroys_a_result_that_nobody_takes) {
  std::atomic<int> destroyed{0};
  run([&] {
    for (int i = 0; i < 50; ++i) {
      auto h = pirn::spawn([&] { return tell_when_destroyed(destroyed); });
      if (i % 2 == 0) h.join();
    }
  });
  EXPECT_EQ(destroyed, 50);
}

// As with std::thread: whoever has waited for the goroutine may end the life of what its function refers to.
TEST_P(spawn, the_function_is_gone_when_get_returns) {
  run([] {
    for (int i = 0; i < scaled(1000); ++i) {
      std::atomic<int> destroyed{0};
      auto h = pirn::spawn([guard = tell_when_destroyed(destroyed)](const tell_when_destroyed&) { return 1; },
                           tell_when_destroyed(destroyed));
      if (i % 2 == 0) {
        h.get();
      } else {
        h.join();
      }
      ASSERT_EQ(destroyed, 2);
      auto failing = pirn::spawn([guard = tell_when_destroyed(destroyed)] { throw std::runtime_error("ends early"); });
      EXPECT_THROW(failing.get(), std::runtime_error);
      ASSERT_EQ(destroyed, 3);
    }
  });
}

TEST_P(spawn, handles_move) {
  run([] {
    auto a = pirn::spawn([] { return 1; });
    pirn::join_handle<int> b = std::move(a);
    EXPECT_THROW(a.get(), std::future_error);  // NOLINT(bugprone-use-after-move): that is the point
    a = pirn::spawn([] { return 2; });
    EXPECT_EQ(a.get(), 2);
    EXPECT_EQ(b.get(), 1);
    std::vector<pirn::join_handle<int>> many;
    for (int i = 0; i < 100; ++i) many.push_back(pirn::spawn([i] { return i; }));
    int sum = 0;
    for (auto& h : many) sum += h.get();
    EXPECT_EQ(sum, 4950);
    static_assert(!std::is_copy_constructible_v<pirn::join_handle<int>>);
  });
}

TEST_P(spawn, get_gives_goroutine_exited_after_goexit) {
  run([] {
    auto h = pirn::spawn([]() -> int {
      pirn::runtime::goexit();
      return 1;
    });
    EXPECT_THROW(h.get(), pirn::goroutine_exited);
    auto v = pirn::spawn([] { pirn::runtime::goexit(); });
    v.join();
    EXPECT_THROW(v.get(), pirn::goroutine_exited);
    (void)pirn::spawn([] { pirn::runtime::goexit(); });
  });
}

TEST_P(spawn, handles_can_be_waited_for_by_another_goroutine_and_by_a_thread) {
  run([] {
    pirn::chan<void> release;
    auto work = [release] {
      release.recv();
      return 5;
    };
    auto first = pirn::spawn(work);
    auto second = pirn::spawn(work);
    auto waiter = pirn::spawn([h = std::move(first)]() mutable { return h.get() + 1; });
    int from_thread = 0;
    std::thread t([&] { from_thread = second.get() + 2; });
    let_others_run();
    release.close();
    EXPECT_EQ(waiter.get(), 6);
    join(t);
    EXPECT_EQ(from_thread, 7);
  });
}

TEST_P(spawn, works_from_a_plain_thread) {
  run([] {
    int sum = 0;
    std::thread t([&] {
      for (int i = 0; i < 100; ++i) sum += pirn::spawn([i] { return i; }).get();
    });
    join(t);
    EXPECT_EQ(sum, 4950);
  });
}

long fib(int n) {
  if (n < 2) return n;
  auto left = pirn::spawn(fib, n - 1);
  const long right = fib(n - 2);
  return left.get() + right;
}

TEST_P(spawn, joins_in_a_tree) {
  run([] { EXPECT_EQ(fib(k_tsan || k_asan ? 12 : 18), k_tsan || k_asan ? 144 : 2584); });
}

TEST_P(spawn, joins_one_after_the_other) {
  run([] {
    long sum = 0;
    const int n = scaled(20000);
    for (int i = 0; i < n; ++i) sum += pirn::spawn([i] { return i; }).get();
    EXPECT_EQ(sum, static_cast<long>(n) * (n - 1) / 2);
  });
}

// The goroutine ends while its handle is on the way to sleep, or is dropped: whoever is second frees what they share.
TEST_P(spawn, the_end_may_meet_the_wait_or_the_drop) {
  run([] {
    std::atomic<int> destroyed{0};
    const int n = scaled(3000);
    for (int i = 0; i < n; ++i) {
      std::atomic<bool> begun{false};
      auto h = pirn::spawn([&destroyed, &begun] {
        begun = true;
        return tell_when_destroyed(destroyed);
      });
      // On several procs the goroutine is about to end now.
      if (i % 3 != 0) {
        while (!begun) pirn::runtime::gosched();
      }
      if (i % 2 == 0) {
        h.get();
      } else if (i % 3 != 0) {
        h = {};
      } else {
        h.join();
      }
    }
    while (destroyed != n) pirn::runtime::gosched();
  });
}

TEST(spawn_handle, may_outlive_its_run) {
  std::optional<pirn::join_handle<int>> finished, abandoned;
  pirn::chan<void> never;
  pirn::run(with_procs(1), [&] {
    finished = pirn::spawn([] { return 3; });
    finished->join();
    abandoned = pirn::spawn([&] {
      never.recv();
      return 4;
    });
    let_others_run();
  });
  EXPECT_TRUE(finished->ready());
  EXPECT_EQ(finished->get(), 3);
  abandoned.reset();
}

}  // namespace
