// singleflight: one call for all who ask at the same time, and its end, whatever it is, for all of them.
// Layer: tests of src/sync, through the public headers.
#include <pirn/singleflight.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class singleflight : public on_procs {};
PIRN_TEST_ON_PROCS(singleflight);

using group = pirn::singleflight<std::string, std::string>;

// x/sync: TestDo
TEST_P(singleflight, gives_the_value_of_the_call) {
  run([] {
    group g;
    const auto r = g.run("key", [] { return std::string("value"); });
    EXPECT_EQ(r.value, "value");
    EXPECT_FALSE(r.shared);
    EXPECT_EQ(g.run("key", [] { return std::string("next"); }).value, "next") << "nothing is kept";
  });
}

// x/sync: TestDoDupSuppress
TEST_P(singleflight, calls_once_for_all_who_ask_meanwhile) {
  run([one_proc = GetParam() == 1] {
    group g;
    std::atomic<int> calls{0}, asked{0}, shared{0};
    const pirn::chan<void> go_on;
    pirn::wait_group wg;
    constexpr int k_callers = 10;
    for (int i = 0; i < k_callers; ++i) {
      wg.go([&] {
        ++asked;
        const auto r = g.run("key", [&] {
          ++calls;
          go_on.recv();
          return std::string("value");
        });
        EXPECT_EQ(r.value, "value");
        if (r.shared) ++shared;
      });
    }
    yield_until([&] { return asked == k_callers && calls > 0; });
    let_others_run();
    EXPECT_EQ(g.run("other", [] { return std::string("own"); }).value, "own");
    go_on.close();
    wg.wait();
    EXPECT_GE(calls, 1);
    EXPECT_LE(calls, k_callers);
    if (one_proc) {  // where all have asked by now
      EXPECT_EQ(calls, 1);
      EXPECT_EQ(shared, k_callers);
    }
  });
}

// x/sync: TestForget
TEST_P(singleflight, that_forgets_a_key_calls_again) {
  run([] {
    group g;
    const pirn::chan<void> first_ends, started;
    auto first = pirn::spawn([&] {
      return g
          .run("key",
               [&] {
                 started.send();
                 first_ends.recv();
                 return std::string("first");
               })
          .value;
    });
    started.recv();
    g.forget("key");
    const pirn::chan<void> second_ends;
    auto second = pirn::spawn([&] {
      return g
          .run("key",
               [&] {
                 started.send();
                 second_ends.recv();
                 return std::string("second");
               })
          .value;
    });
    started.recv();
    first_ends.close();
    EXPECT_EQ(first.get(), "first");
    // The end of the first has not taken the second out.
    auto third = pirn::spawn([&] { return g.run("key", [] { return std::string("third"); }).value; });
    let_others_run();
    second_ends.close();
    EXPECT_EQ(second.get(), "second");
    const std::string got = third.get();
    EXPECT_TRUE(got == "second" || got == "third");
  });
}

// x/sync: TestPanicDo, TestGoexitDo
TEST_P(singleflight, ends_all_callers_as_the_call_ends) {
  run([] {
    for (const bool exits : {true, false}) {
      group g;
      const pirn::chan<void> go_on;
      std::vector<pirn::join_handle<void>> callers;
      callers.reserve(10);
      for (int i = 0; i < 10; ++i) {
        callers.push_back(pirn::spawn([&] {
          g.run("key", [&]() -> std::string {
            go_on.recv();
            if (exits) pirn::runtime::goexit();
            throw std::runtime_error("broken");
          });
        }));
      }
      let_others_run();
      go_on.close();
      for (auto& h : callers) {
        if (exits) {
          EXPECT_THROW(h.get(), pirn::goroutine_exited);
        } else {
          EXPECT_THROW(h.get(), std::runtime_error);
        }
      }
      EXPECT_EQ(g.run("key", [] { return std::string("usable"); }).value, "usable");
    }
  });
}

}  // namespace
