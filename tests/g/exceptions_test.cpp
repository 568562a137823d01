// Exceptions belong to the goroutine: parking inside a handler, or while unwinding, and going on on another thread
// finds the right one again, however many others are being handled meanwhile.
// Layer: tests of src/g, through the public headers.
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class exceptions : public on_procs {};
PIRN_TEST_ON_PROCS(exceptions);

struct numbered : std::runtime_error {
  explicit numbered(int n) : std::runtime_error("number " + std::to_string(n)), number(n) {}
  int number;
};

// Runs f(0) ... f(n - 1) in goroutines of their own and rethrows what leaves one.
void together(int n, const std::function<void(int)>& f) {
  std::vector<pirn::join_handle<void>> all;
  for (int i = 0; i < n; ++i) all.push_back(pirn::spawn(f, i));
  for (auto& h : all) h.get();
}

// Parks in one of the ways there are.
void park(int kind, const pirn::chan<int>& in, pirn::mutex& m) {
  switch (kind % 5) {
    case 0:
      pirn::runtime::gosched();
      break;
    case 1:
      in.recv();
      break;
    case 2:
      pirn::sleep_for(10us);
      break;
    case 3:
      pirn::select(pirn::recv(in), pirn::recv(pirn::after(1ms)));
      break;
    default:
      std::scoped_lock hold(m);
      pirn::runtime::gosched();
  }
}

TEST_P(exceptions, are_rethrown_after_a_park_as_what_they_were) {
  run([] {
    const pirn::chan<int> in;
    pirn::mutex m;
    std::atomic<bool> stop{false};
    auto feeder = pirn::spawn([&] {
      while (!stop) pirn::select(pirn::send(in, 1), pirn::recv(pirn::after(100us)));
    });
    together(100, [&](int i) {
      for (int round = 0; round < 10; ++round) {
        const int number = i * 100 + round;
        try {
          try {
            throw numbered(number);
          } catch (...) {
            park(i + round, in, m);
            throw;
          }
        } catch (const numbered& e) {
          ASSERT_EQ(e.number, number);
          ASSERT_EQ(e.what(), "number " + std::to_string(number));
        }
        ASSERT_FALSE(std::current_exception());
      }
    });
    stop = true;
    feeder.get();
  });
}

TEST_P(exceptions, nest_across_parks) {
  run([] {
    together(50, [](int i) {
      try {
        throw numbered(i);
      } catch (const numbered& outer) {
        pirn::runtime::gosched();
        try {
          throw numbered(i + 1000);
        } catch (const numbered& inner) {
          pirn::runtime::gosched();
          try {
            std::throw_with_nested(std::logic_error("third"));
          } catch (const std::logic_error& third) {
            pirn::runtime::gosched();
            try {
              std::rethrow_if_nested(third);
              ADD_FAILURE() << "nothing nested";
            } catch (const numbered& nested) {
              ASSERT_EQ(nested.number, i + 1000);
            }
          }
          ASSERT_EQ(inner.number, i + 1000);
        }
        pirn::runtime::gosched();
        ASSERT_EQ(outer.number, i);
        try {
          throw;
        } catch (const numbered& again) {
          ASSERT_EQ(again.number, i);
        }
      }
      ASSERT_EQ(std::uncaught_exceptions(), 0);
    });
  });
}

TEST_P(exceptions, current_exception_is_the_goroutines_own) {
  run([] {
    together(50, [](int i) {
      std::exception_ptr kept;
      try {
        throw numbered(i);
      } catch (...) {
        let_others_run(3);
        kept = std::current_exception();
        let_others_run(3);
        ASSERT_EQ(std::current_exception(), kept);
      }
      ASSERT_FALSE(std::current_exception());
      try {
        std::rethrow_exception(kept);
      } catch (const numbered& e) {
        ASSERT_EQ(e.number, i);
      }
    });
  });
}

TEST_P(exceptions, of_one_are_not_seen_by_another) {
  run([] {
    const pirn::chan<int> go_on;
    auto handling = pirn::spawn([=] {
      try {
        throw numbered(1);
      } catch (const numbered& e) {
        go_on.recv();
        return e.number;
      }
    });
    let_others_run();
    EXPECT_FALSE(std::current_exception());
    pirn::spawn([] {
      EXPECT_FALSE(std::current_exception());
      EXPECT_EQ(std::uncaught_exceptions(), 0);
    }).get();
    go_on.send(1);
    EXPECT_EQ(handling.get(), 1);
  });
}

// A destructor that parks while its frame is unwound.
struct parks_when_destroyed {
  int expected_uncaught;
  std::atomic<int>& right;
  ~parks_when_destroyed() {
    const bool before = std::uncaught_exceptions() == expected_uncaught;
    let_others_run(3);
    if (before && std::uncaught_exceptions() == expected_uncaught) ++right;
  }
};

TEST_P(exceptions, uncaught_ones_are_counted_across_parks_of_destructors) {
  std::atomic<int> right{0};
  run([&] {
    together(50, [&](int i) {
      try {
        parks_when_destroyed a{1, right};
        { parks_when_destroyed b{0, right}; }
        parks_when_destroyed c{1, right};
        throw numbered(i);
      } catch (const numbered& e) {
        ASSERT_EQ(e.number, i);
        ASSERT_EQ(std::uncaught_exceptions(), 0);
      }
    });
  });
  EXPECT_EQ(right, 150);
}

// While one unwinds and is parked in a destructor, others throw and catch on the same thread.
TEST_P(exceptions, thrown_while_another_is_unwinding_do_not_mix) {
  run([] {
    struct waits_in_destructor {
      const pirn::chan<int>& c;
      ~waits_in_destructor() { c.recv(); }
    };
    const pirn::chan<int> c;
    auto unwinding = pirn::spawn([&] {
      try {
        waits_in_destructor w{c};
        throw numbered(1);
      } catch (const numbered& e) {
        return e.number;
      }
    });
    let_others_run();
    together(20, [](int i) {
      try {
        throw numbered(i);
      } catch (const numbered& e) {
        pirn::runtime::gosched();
        ASSERT_EQ(e.number, i);
      }
    });
    c.send(1);
    EXPECT_EQ(unwinding.get(), 1);
  });
}

TEST_P(exceptions, travel_between_goroutines_as_pointers) {
  run([] {
    const pirn::chan<std::exception_ptr> c(4);
    together(10, [c](int i) {
      if (i % 2 == 0) {
        try {
          throw numbered(i);
        } catch (...) {
          c.send(std::current_exception());
        }
      } else {
        try {
          std::rethrow_exception(c.recv().value());
        } catch (const numbered& e) {
          pirn::runtime::gosched();
          ASSERT_EQ(e.number % 2, 0);
        }
      }
    });
  });
}

TEST_P(exceptions, may_be_thrown_from_deep_frames_over_parks) {
  run([] {
    std::atomic<int> destroyed{0};
    std::function<void(int)> deeper = [&](int depth) {
      tell_when_destroyed guard(destroyed);
      pirn::runtime::gosched();
      if (depth == 0) throw numbered(depth);
      deeper(depth - 1);
    };
    together(20, [&](int) { EXPECT_THROW(deeper(50), numbered); });
    EXPECT_EQ(destroyed, 20 * 51);
  });
}

TEST_P(exceptions, in_main_survive_its_parks) {
  run([] {
    try {
      throw numbered(3);
    } catch (const numbered&) {
      for (int i = 0; i < 10; ++i) pirn::spawn([] { EXPECT_THROW(throw numbered(4), numbered); }).get();
      try {
        throw;
      } catch (const numbered& e) {
        EXPECT_EQ(e.number, 3);
      }
    }
  });
}

// The thread that called run() may itself be handling something.
TEST(exceptions_around_a_run, are_the_callers_own) {
  try {
    throw numbered(5);
  } catch (const numbered&) {
    run_on(2, [] {
      EXPECT_FALSE(std::current_exception()) << "main is a goroutine of its own";
      EXPECT_THROW(throw numbered(6), numbered);
      pirn::runtime::gosched();
    });
    try {
      throw;
    } catch (const numbered& e) {
      EXPECT_EQ(e.number, 5);
    }
  }
  EXPECT_FALSE(std::current_exception());
}

// A worker's thread does not keep what a goroutine that ended there was handling.
TEST_P(exceptions, leave_nothing_behind_on_the_thread) {
  run([] {
    together(50, [](int i) {
      EXPECT_FALSE(std::current_exception());
      try {
        throw numbered(i);
      } catch (...) {
        pirn::runtime::gosched();
        if (i % 2 == 0) return;
      }
    });
  });
}

// What a goroutine was handling when it was abandoned or unwound is freed, as far as its policy allows.
TEST(exceptions_at_exit, unwinding_from_inside_a_handler_works) {
  std::atomic<int> destroyed{0};
  pirn::config c = with_procs(2);
  c.at_exit = pirn::at_exit::unwind;
  const pirn::chan<int> never;
  pirn::run(c, [&] {
    std::atomic<int> parked{0};
    for (int i = 0; i < 10; ++i) {
      pirn::go([&, i] {
        tell_when_destroyed guard(destroyed);
        try {
          throw numbered(i);
        } catch (const numbered&) {
          ++parked;
          never.recv();
        }
      });
    }
    yield_until([&] { return parked == 10; });
    let_others_run();
  });
  EXPECT_EQ(destroyed, 10);
}

}  // namespace
