// errgroup: waits for all, gives the first failure, tells the others, and admits no more than its limit.
// Layer: tests of src/sync, through the public headers.
#include <pirn/errgroup.h>

#include <atomic>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class errgroup : public on_procs {};
PIRN_TEST_ON_PROCS(errgroup);

std::error_code code(std::errc e) { return std::make_error_code(e); }

// x/sync: TestZeroGroup
TEST_P(errgroup, gives_the_first_failure_only) {
  run([] {
    const auto a = code(std::errc::io_error), b = code(std::errc::bad_address), none = std::error_code();
    for (const auto& all :
         std::vector<std::vector<std::error_code>>{{}, {none}, {a}, {a, none}, {a, none, b}, {none, b, a}}) {
      pirn::errgroup g;
      std::error_code first;
      for (const auto& e : all) {
        g.go([e] { return e; });
        if (e && !first) first = e;
        std::error_code got = code(std::errc::timed_out);
        g.wait(got);
        EXPECT_EQ(got, first);
      }
      if (!first) {
        EXPECT_NO_THROW(g.wait());
        continue;
      }
      for (int again = 0; again < 2; ++again) {
        try {
          g.wait();
          ADD_FAILURE() << "nothing was thrown";
        } catch (const std::system_error& e) {
          EXPECT_EQ(e.code(), first);
        }
      }
    }
  });
}

TEST_P(errgroup, gives_an_exception_as_it_is) {
  run([] {
    pirn::errgroup g(pirn::background());
    g.go([] { throw std::runtime_error("broken"); });
    std::error_code e;
    EXPECT_THROW(g.wait(e), std::runtime_error);
    try {
      std::rethrow_exception(g.context().cause());
    } catch (const std::runtime_error& why) {
      EXPECT_STREQ(why.what(), "broken");
    }
  });
}

// x/sync: TestWithContext, TestCancelCause
TEST_P(errgroup, cancels_its_context_by_the_first_failure_or_at_the_end) {
  run([] {
    for (const bool fails : {true, false}) {
      pirn::errgroup g(pirn::background());
      const pirn::context c = g.context();
      std::atomic<int> told{0};
      if (fails) {
        for (int i = 0; i < 5; ++i) {
          g.go([&] {
            c.done().recv();
            ++told;
            return c.err();
          });
        }
        let_others_run();
        g.go([] { return code(std::errc::io_error); });
      } else {
        g.go([] {});
      }
      std::error_code e;
      g.wait(e);
      EXPECT_EQ(e, fails ? code(std::errc::io_error) : std::error_code());
      EXPECT_EQ(told, fails ? 5 : 0);
      EXPECT_EQ(c.err(), pirn::context_errc::canceled);
      try {
        std::rethrow_exception(c.cause());
      } catch (const std::system_error& why) {
        EXPECT_EQ(why.code(), fails ? e : make_error_code(pirn::context_errc::canceled));
      }
    }
    EXPECT_EQ(pirn::errgroup().context(), pirn::background());
  });
}

TEST_P(errgroup, ends_with_its_parent) {
  run([] {
    const auto [parent, cancel] = pirn::with_cancel(pirn::background());
    pirn::errgroup g(parent);
    g.go([c = g.context()] { return pirn::sleep_for(c, 24h); });
    cancel();
    std::error_code e;
    g.wait(e);
    EXPECT_EQ(e, pirn::context_errc::canceled);
  });
}

// x/sync: TestTryGo
TEST_P(errgroup, refuses_what_goes_beyond_its_limit) {
  run([] {
    for (const int limit : {42, 1}) {
      pirn::errgroup g;
      g.set_limit(limit);
      const pirn::chan<void> end;
      for (int i = 0; i < limit; ++i) EXPECT_TRUE(g.try_go([=] { end.recv(); }));
      EXPECT_FALSE(g.try_go([] { ADD_FAILURE() << "it runs"; }));
      EXPECT_THROW(g.set_limit(50), std::logic_error);
      end.close();
      g.wait();
      EXPECT_TRUE(g.try_go([] {}));
      g.wait();
      g.set_limit(-1);
      for (int i = 0; i < 2 * limit; ++i) EXPECT_TRUE(g.try_go([] {}));
      g.wait();
      g.set_limit(0);
      EXPECT_FALSE(g.try_go([] {}));
    }
  });
}

// x/sync: TestGoLimit
TEST_P(errgroup, never_runs_more_than_its_limit) {
  run([] {
    constexpr int k_limit = 10;
    pirn::errgroup g;
    g.set_limit(k_limit);
    std::atomic<int> active{0}, ran{0};
    for (int i = 0; i < scaled(2000); ++i) {
      g.go([&] {
        EXPECT_LE(++active, k_limit);
        pirn::runtime::gosched();
        --active;
        ++ran;
      });
    }
    g.wait();
    EXPECT_EQ(ran, scaled(2000));
  });
}

TEST_P(errgroup, is_left_only_when_all_have_ended_and_is_cancelled_then) {
  run([] {
    std::atomic<int> destroyed{0};
    {
      pirn::errgroup g(pirn::background());
      for (int i = 0; i < 10; ++i) {
        g.go([c = g.context(), t = tell_when_destroyed(destroyed)] { c.done().recv(); });
      }
    }
    EXPECT_EQ(destroyed, 10);
  });
}

TEST_P(errgroup, takes_goexit_for_an_end) {
  run([] {
    pirn::errgroup g;
    g.set_limit(1);
    for (int i = 0; i < 3; ++i) g.go([] { pirn::runtime::goexit(); });
    EXPECT_NO_THROW(g.wait());
  });
}

TEST(errgroup_outside_a_run, refuses_to_start_anything_and_stays_usable) {
  pirn::errgroup g;
  g.set_limit(1);
  for (int i = 0; i < 2; ++i) EXPECT_THROW(g.go([] {}), std::logic_error);
  EXPECT_NO_THROW(g.wait());
}

// Children that start children, and many failures at once.
TEST_P(errgroup, is_used_from_its_own_goroutines) {
  run([] {
    for (int round = 0; round < scaled(200); ++round) {
      pirn::errgroup g(pirn::background());
      std::atomic<int> ran{0};
      for (int i = 0; i < 4; ++i) {
        g.go([&] {
          ++ran;
          for (int k = 0; k < 4; ++k) {
            g.go([&, k] {
              ++ran;
              return k == 3 ? code(std::errc::io_error) : std::error_code();
            });
          }
        });
      }
      std::error_code e;
      g.wait(e);
      EXPECT_EQ(e, std::errc::io_error);
      EXPECT_EQ(ran, 20);
    }
  });
}

}  // namespace
