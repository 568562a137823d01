// select: which case runs, what it assigns and calls, and when it waits. How it stands in the queues of its channels is
// in select_queues_test.cpp, fairness in select_fairness_test.cpp, crowds in select_stress_test.cpp.
// Layer: tests of src/sync, through the public headers.
#include <malloc.h>

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class select : public on_procs {};
PIRN_TEST_ON_PROCS(select);

pirn::chan<int> holding(int v) {
  pirn::chan<int> c(1);
  c.send(v);
  return c;
}

TEST_P(select, tells_the_index_of_the_case_that_ran) {
  run([] {
    const pirn::chan<int> never;
    int v = 0;
    EXPECT_EQ(pirn::select(pirn::recv(holding(1), v)), 0);
    EXPECT_EQ(v, 1);
    EXPECT_EQ(pirn::select(pirn::recv(never, v), pirn::recv(holding(2), v)), 1);
    EXPECT_EQ(v, 2);
    EXPECT_EQ(pirn::select(pirn::recv(never, v), pirn::send(never, 1), pirn::recv(holding(3), v)), 2);
    EXPECT_EQ(v, 3);
    const pirn::chan<int> room(1);
    EXPECT_EQ(pirn::select(pirn::recv(never, v), pirn::send(room, 4)), 1);
    EXPECT_EQ(room.recv(), 4);
  });
}

TEST_P(select, takes_otherwise_only_when_nothing_is_ready) {
  run([] {
    const pirn::chan<int> never;
    int v = 0, otherwise_ran = 0;
    EXPECT_EQ(pirn::select(pirn::otherwise), 0);
    EXPECT_EQ(pirn::select(pirn::recv(never, v), pirn::otherwise), 1);
    EXPECT_EQ(pirn::select(pirn::otherwise, pirn::recv(never, v)), 0);
    EXPECT_EQ(pirn::select(pirn::recv(never, v), pirn::otherwise([&] { ++otherwise_ran; })), 1);
    EXPECT_EQ(otherwise_ran, 1);
    EXPECT_EQ(pirn::select(pirn::otherwise([&] { ++otherwise_ran; }), pirn::recv(holding(5), v)), 1);
    EXPECT_EQ(otherwise_ran, 1);
    EXPECT_EQ(v, 5);
    EXPECT_EQ(pirn::select(pirn::send(never, 1), pirn::otherwise), 1);
    EXPECT_EQ(pirn::select(pirn::send(holding(1), 1), pirn::otherwise), 1);
  });
}

TEST_P(select, assigns_to_variables_of_every_form) {
  run([] {
    int v = 0;
    bool ok = false;
    std::optional<int> maybe;
    pirn::select(pirn::recv(holding(1)));
    pirn::select(pirn::recv(holding(2), v));
    EXPECT_EQ(v, 2);
    pirn::select(pirn::recv(holding(3), maybe));
    EXPECT_EQ(maybe, 3);
    pirn::select(pirn::recv(holding(4), v, ok));
    EXPECT_EQ(v, 4);
    EXPECT_TRUE(ok);
    int called_with = 0;
    pirn::select(pirn::recv(holding(5), [&](std::optional<int> got) { called_with = got.value(); }));
    EXPECT_EQ(called_with, 5);
    pirn::select(pirn::recv(holding(6), [&](auto got) { called_with = got.value(); }));
    EXPECT_EQ(called_with, 6);
  });
}

TEST_P(select, touches_no_variable_of_a_case_that_did_not_run) {
  run([] {
    const pirn::chan<int> never;
    int v = -1;
    bool ok = true;
    std::optional<int> maybe = -2;
    int called = 0, got = 0;
    EXPECT_EQ(
        pirn::select(pirn::recv(never, v), pirn::recv(never, maybe), pirn::recv(never, v, ok),
                     pirn::recv(never, [&](std::optional<int>) { ++called; }), pirn::send(never, 1, [&] { ++called; }),
                     pirn::otherwise([&] { ++called; }), pirn::recv(holding(9), got)),
        6);
    EXPECT_EQ(v, -1);
    EXPECT_TRUE(ok);
    EXPECT_EQ(maybe, -2);
    EXPECT_EQ(called, 0);
    EXPECT_EQ(got, 9);
  });
}

TEST_P(select, tells_callbacks_that_the_channel_is_closed) {
  run([] {
    pirn::chan<int> c;
    c.close();
    bool saw_end = false;
    pirn::select(pirn::recv(c, [&](std::optional<int> v) { saw_end = !v.has_value(); }));
    EXPECT_TRUE(saw_end);
  });
}

TEST_P(select, calls_the_send_callback_after_the_value_was_sent) {
  run([] {
    const pirn::chan<int> c(1);
    std::size_t length_in_callback = 0;
    EXPECT_EQ(pirn::select(pirn::send(c, 1, [&] { length_in_callback = c.len(); })), 0);
    EXPECT_EQ(length_in_callback, 1u);
  });
}

// Callbacks run outside every lock: they may use the same channels, and park.
TEST_P(select, callbacks_may_use_the_same_channels) {
  run([] {
    const pirn::chan<int> a(3), b;
    a.send(1);
    a.send(2);
    int sum = 0;
    pirn::select(pirn::recv(a, [&](std::optional<int> v) {
      sum += v.value();
      sum += a.recv().value();
      a.send(5);
      pirn::select(pirn::recv(a, [&](std::optional<int> inner) { sum += inner.value(); }));
      pirn::go([=] { b.send(10); });
      sum += b.recv().value();
    }));
    EXPECT_EQ(sum, 18);
  });
}

TEST_P(select, lets_an_exception_of_a_callback_out) {
  run([] {
    const pirn::chan<int> c = holding(1);
    EXPECT_THROW(pirn::select(pirn::recv(c, [](std::optional<int>) { throw std::runtime_error("callback"); })),
                 std::runtime_error);
    EXPECT_EQ(c.len(), 0u) << "the value was received";
    EXPECT_THROW(pirn::select(pirn::send(c, 2, [] { throw std::runtime_error("callback"); })), std::runtime_error);
    EXPECT_EQ(c.recv(), 2) << "the value was sent";
    EXPECT_THROW(pirn::select(pirn::recv(c), pirn::otherwise([] { throw 1; })), int);
    c.send(3);
    EXPECT_EQ(c.recv(), 3);
  });
}

TEST_P(select, waits_until_a_case_is_ready) {
  run([] {
    const pirn::chan<int> a, b;
    for (const bool receive : {true, false}) {
      std::atomic<bool> chosen{false};
      auto h = pirn::spawn([&] {
        int v = 0;
        const int index = receive ? pirn::select(pirn::recv(a, v), pirn::recv(b, v))
                                  : pirn::select(pirn::recv(a, v), pirn::send(b, 7));
        chosen = true;
        return index * 100 + v;
      });
      let_others_run();
      EXPECT_FALSE(chosen);
      if (receive) {
        b.send(8);
        EXPECT_EQ(h.get(), 108);
      } else {
        EXPECT_EQ(b.recv(), 7);
        EXPECT_EQ(h.get(), 100);
      }
    }
  });
}

TEST_P(select, moves_an_rvalue_only_if_its_case_runs) {
  run([] {
    const pirn::chan<std::unique_ptr<int>> full(1), room(1);
    full.send(nullptr);
    auto kept = std::make_unique<int>(1);
    auto sent = std::make_unique<int>(2);
    EXPECT_EQ(pirn::select(pirn::send(full, std::move(kept)), pirn::send(room, std::move(sent))), 1);
    ASSERT_NE(kept, nullptr) << "moved from although its case did not run";  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(*kept, 1);
    EXPECT_EQ(sent, nullptr);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(*room.recv().value(), 2);
    EXPECT_EQ(pirn::select(pirn::send(full, std::move(kept)), pirn::otherwise), 1);
    ASSERT_NE(kept, nullptr);  // NOLINT(bugprone-use-after-move)

    // The same after having waited.
    auto h = pirn::spawn([&] {
      int v = 0;
      const pirn::chan<int> wake = holding(3);
      pirn::runtime::gosched();
      EXPECT_EQ(pirn::select(pirn::send(full, std::move(kept)), pirn::recv(wake, v)), 1);
    });
    h.get();
    EXPECT_NE(kept, nullptr);
    const pirn::chan<int> wake;
    auto waiting = pirn::spawn([&] {
      int v = 0;
      EXPECT_EQ(pirn::select(pirn::send(full, std::move(kept)), pirn::recv(wake, v)), 1);
    });
    let_others_run();
    wake.send(1);
    waiting.get();
    ASSERT_NE(kept, nullptr);
    auto sender = pirn::spawn([&] {
      int v = 0;
      EXPECT_EQ(pirn::select(pirn::send(full, std::move(kept)), pirn::recv(wake, v)), 0);
    });
    let_others_run();
    full.recv();
    sender.get();
    EXPECT_EQ(*full.recv().value(), 1);
    EXPECT_EQ(kept, nullptr);
  });
}

TEST_P(select, copies_an_lvalue_when_the_case_is_made) {
  run([] {
    const pirn::chan<std::string> c(1);
    std::string text = "before";
    auto made = pirn::select_case(pirn::send(c, text));
    text = "after";
    pirn::select_case cases[] = {std::move(made)};
    EXPECT_EQ(pirn::select(std::span<pirn::select_case>(cases)), 0);
    EXPECT_EQ(c.recv(), "before");
    EXPECT_EQ(pirn::select(pirn::send(c, text)), 0);
    EXPECT_EQ(text, "after") << "an lvalue is not moved from";
    EXPECT_EQ(c.recv(), "after");
  });
}

// Go: test/chan/select.go. What is to be sent is evaluated once per select, also where that case does not run.
TEST_P(select, evaluates_each_case_once) {
  run([] {
    const pirn::chan<int> a(1), b(1);
    int evaluated = 0;
    const auto next = [&] { return ++evaluated; };
    for (int i = 1; i <= 10; ++i) {
      EXPECT_NE(pirn::select(pirn::send(a, next()), pirn::send(b, next())), -1);
      EXPECT_EQ(evaluated, 2 * i);
      a.try_recv();
      b.try_recv();
    }
  });
}

// Go: test/chan/select3.go
TEST_P(select, never_takes_the_case_of_a_nil_channel) {
  run([] {
    const pirn::chan<int> nil(nullptr);
    int v = 0;
    EXPECT_EQ(pirn::select(pirn::recv(nil, v), pirn::send(nil, 1), pirn::otherwise), 2);
    EXPECT_EQ(pirn::select(pirn::recv(nil, v), pirn::recv(holding(4), v), pirn::send(nil, 1)), 1);
    const pirn::chan<int> c;
    auto h = pirn::spawn([&] {
      int out = 0;
      EXPECT_EQ(pirn::select(pirn::recv(nil, out), pirn::recv(c, out), pirn::send(nil, 1)), 1);
      return out;
    });
    let_others_run();
    c.send(6);
    EXPECT_EQ(h.get(), 6);
  });
}

// Go: test/chan/select3.go, "select with no cases" and with only nil ones.
TEST(select_for_ever, is_what_no_case_and_only_nil_cases_mean) {
  std::atomic<int> started{0}, went_on{0};
  run_and_abandon(2, [&] {
    const auto start = [&](auto wait) {
      pirn::go([&, wait] {
        ++started;
        wait();
        ++went_on;
      });
    };
    start([] { pirn::select(); });
    start([] { pirn::select(std::span<pirn::select_case>()); });
    start([] {
      const pirn::chan<int> nil(nullptr);
      int v = 0;
      pirn::select(pirn::recv(nil, v), pirn::send(nil, 1));
    });
    start([] { pirn::select(pirn::recv(pirn::chan<void>(nullptr))); });
    yield_until([&] { return started == 4; });
    let_others_run();
  });
  EXPECT_EQ(went_on, 0);
}

// Go: test/chan/select2.go
TEST(select_memory, does_not_grow) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's allocator does not count";
#else
  run_on(1, [] {
    const pirn::chan<int> data, never;
    const pirn::chan<void> quit;
    const auto receive = [=](int n) {
      for (int i = 0; i < n; ++i) {
        int v = 0;
        pirn::select(pirn::recv(data, v), pirn::recv(never, v), pirn::recv(quit));
      }
    };
    const auto send = [=](int n) {
      for (int i = 0; i < n; ++i) pirn::select(pirn::send(data, i), pirn::send(never, 1));
    };
    const auto both = [&](int n) {
      auto h = pirn::spawn([=] { receive(n); });
      send(n);
      h.get();
    };
    both(1000);
    const std::size_t before = mallinfo2().uordblks;
    both(100000);
    EXPECT_LT(mallinfo2().uordblks, before + 110'000);
  });
#endif
}

TEST_P(select, takes_many_cases) {
  run([] {
    constexpr int k_cases = 1000;
    std::vector<pirn::chan<int>> channels(k_cases);
    std::vector<int> got(k_cases, -1);
    for (int round = 0; round < 20; ++round) {
      const int chosen = round * 53 % k_cases;
      auto h = pirn::spawn([&] {
        std::vector<pirn::select_case> cases;
        for (std::size_t i = 0; i < k_cases; ++i) cases.push_back(pirn::recv(channels[i], got[i]));
        return pirn::select(std::span(cases));
      });
      if (round % 2 == 0) let_others_run(5);
      channels[static_cast<std::size_t>(chosen)].send(round);
      EXPECT_EQ(h.get(), chosen);
      EXPECT_EQ(got[static_cast<std::size_t>(chosen)], round);
    }
  });
}

TEST_P(select, takes_cases_of_different_element_types) {
  run([] {
    const pirn::chan<int> ints(1);
    const pirn::chan<std::string> texts(1);
    const pirn::chan<void> signals(1);
    const pirn::chan<std::unique_ptr<int>> owners(1);
    int i = 0;
    std::string s;
    std::unique_ptr<int> p;
    int seen = 0;
    ints.send(1);
    texts.send("two");
    signals.send();
    owners.send(std::make_unique<int>(4));
    for (int k = 0; k < 4; ++k) {
      seen |= 1 << pirn::select(pirn::recv(ints, i), pirn::recv(texts, s), pirn::recv(signals), pirn::recv(owners, p));
    }
    EXPECT_EQ(seen, 15);
    EXPECT_EQ(i, 1);
    EXPECT_EQ(s, "two");
    EXPECT_EQ(*p, 4);
  });
}

TEST_P(select, works_on_one_way_views) {
  run([] {
    const pirn::chan<int> c(1);
    const pirn::send_chan<int> in = c;
    const pirn::recv_chan<int> out = c;
    EXPECT_EQ(pirn::select(pirn::send(in, 3)), 0);
    int v = 0;
    EXPECT_EQ(pirn::select(pirn::recv(out, v)), 0);
    EXPECT_EQ(v, 3);
  });
}

TEST_P(select, the_dynamic_form_does_what_the_other_does) {
  run([] {
    const pirn::chan<int> a(1), b(1), nil(nullptr);
    int v = 0, callbacks = 0;
    bool ok = false;
    std::optional<int> maybe;
    const auto choose = [&](std::vector<pirn::select_case> cases) { return pirn::select(std::span(cases)); };
    const auto list = [](auto&&... cases) {
      std::vector<pirn::select_case> all;
      (all.push_back(std::forward<decltype(cases)>(cases)), ...);
      return all;
    };
    EXPECT_EQ(choose(list(pirn::recv(a, v), pirn::otherwise)), 1);
    EXPECT_EQ(choose(list(pirn::recv(nil, v), pirn::otherwise([&] { ++callbacks; }))), 1);
    EXPECT_EQ(callbacks, 1);
    EXPECT_EQ(choose(list(pirn::recv(b, v), pirn::send(a, 4))), 1);
    EXPECT_EQ(choose(list(pirn::recv(b, v), pirn::recv(a, v, ok))), 1);
    EXPECT_EQ(v, 4);
    EXPECT_TRUE(ok);
    EXPECT_EQ(choose(list(pirn::send(b, 5, [&] { ++callbacks; }), pirn::send(nil, 1))), 0);
    EXPECT_EQ(callbacks, 2);
    EXPECT_EQ(choose(list(pirn::recv(a), pirn::recv(b, maybe))), 1);
    EXPECT_EQ(maybe, 5);
    a.send(6);
    EXPECT_EQ(choose(list(pirn::recv(b), pirn::recv(a, [&](std::optional<int> got) { v = got.value(); }))), 1);
    EXPECT_EQ(v, 6);
    const pirn::chan<void> signal(1);
    EXPECT_EQ(choose(list(pirn::send(signal), pirn::recv(b))), 0);
    EXPECT_EQ(choose(list(pirn::recv(b), pirn::recv(signal))), 1);

    auto h = pirn::spawn([&] { return choose(list(pirn::recv(nil, v), pirn::recv(b, v))); });
    let_others_run();
    b.send(7);
    EXPECT_EQ(h.get(), 1);
    EXPECT_EQ(v, 7);
    a.close();
    EXPECT_THROW(choose(list(pirn::recv(b), pirn::send(a, 1))), pirn::closed_channel);
  });
}

TEST_P(select, the_dynamic_form_owns_what_it_sends) {
  run([] {
    const pirn::chan<int> c(1), full(1);
    full.send(0);
    std::vector<pirn::select_case> cases;
    cases.push_back(pirn::send(full, 4));
    cases.push_back(pirn::send(c, 5));
    EXPECT_EQ(pirn::select(std::span(cases)), 1);
    EXPECT_EQ(c.recv(), 5);
  });
}

TEST_P(select, a_case_keeps_its_channel_alive) {
  run([] {
    int v = 0;
    std::vector<pirn::select_case> cases;
    cases.push_back(pirn::recv(holding(3), v));
    EXPECT_EQ(pirn::select(std::span(cases)), 0);
    EXPECT_EQ(v, 3);
  });
}

TEST_P(select, with_a_time_out_is_a_time_out) {
  run([] {
    const pirn::chan<int> never;
    int v = 0;
    const auto begin = pirn::now();
    EXPECT_EQ(pirn::select(pirn::recv(never, v), pirn::recv(pirn::after(2ms))), 1);
    EXPECT_GE(pirn::now() - begin, 2ms);
    EXPECT_EQ(pirn::select(pirn::recv(holding(1), v), pirn::recv(pirn::after(24h))), 0);
  });
}

}  // namespace
