// context: what is cancelled when, why, and by whom; deadlines, values, functions, stop tokens.
// Layer: tests of src/sync, through the public headers.
#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;
using pirn::context_errc;

class context : public on_procs {};
PIRN_TEST_ON_PROCS(context);

struct reason : std::runtime_error {
  using runtime_error::runtime_error;
};
std::exception_ptr why(const char* text) { return std::make_exception_ptr(reason(text)); }

// What a cause says; "" for none.
std::string text_of(const std::exception_ptr& cause) {
  if (cause == nullptr) return "";
  try {
    std::rethrow_exception(cause);
  } catch (const std::system_error& e) {
    return e.code().message();
  } catch (const std::exception& e) {
    return e.what();
  }
}

bool is_closed(const pirn::recv_chan<void>& done) { return done.try_recv().status == pirn::chan_status::closed; }

void expect_alive(const pirn::context& c) {
  EXPECT_FALSE(c.err());
  EXPECT_EQ(c.cause(), nullptr);
  EXPECT_FALSE(is_closed(c.done()));
}
void expect_ended(const pirn::context& c, context_errc how) {
  EXPECT_EQ(c.err(), how);
  EXPECT_TRUE(is_closed(c.done()));
  EXPECT_NE(c.cause(), nullptr);
}

// Go: TestBackground, TestTODO
TEST(context_roots, are_never_cancelled_and_hold_nothing) {
  for (const pirn::context& c : {pirn::background(), pirn::todo()}) {
    EXPECT_FALSE(c.err());
    EXPECT_FALSE(c.done());  // the nil channel
    EXPECT_EQ(c.cause(), nullptr);
    EXPECT_FALSE(c.deadline());
    EXPECT_EQ(c.value<int>(&c), nullptr);
    EXPECT_FALSE(c.stop_token().stop_possible());
  }
  EXPECT_EQ(pirn::background(), pirn::background());
  EXPECT_FALSE(pirn::background() == pirn::todo());
}

TEST(context_errors, say_what_go_says_and_are_conditions_of_the_standard) {
  const std::error_code canceled = context_errc::canceled, exceeded = context_errc::deadline_exceeded;
  EXPECT_EQ(canceled.message(), "context canceled");
  EXPECT_EQ(exceeded.message(), "context deadline exceeded");
  EXPECT_EQ(canceled, std::errc::operation_canceled);
  EXPECT_EQ(exceeded, std::errc::timed_out);
  EXPECT_NE(canceled, std::errc::timed_out);
  EXPECT_STREQ(pirn::context_category().name(), "context");
}

// Go: XTestStringer forms
TEST_P(context, prints_how_it_was_made) {
  run([] {
    static const int key = 0;
    EXPECT_EQ(to_string(pirn::background()), "context.Background");
    EXPECT_EQ(to_string(pirn::todo()), "context.TODO");
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    EXPECT_EQ(to_string(c), "context.Background.WithCancel");
    EXPECT_EQ(to_string(pirn::with_cancel_cause(c).ctx), "context.Background.WithCancel.WithCancel");
    EXPECT_EQ(to_string(pirn::with_value(c, &key, 1)), "context.Background.WithCancel.WithValue");
    EXPECT_EQ(to_string(pirn::without_cancel(c)), "context.Background.WithCancel.WithoutCancel");
    EXPECT_EQ(to_string(pirn::with_stop_token(c, {}).ctx), "context.Background.WithCancel.WithStopToken");
    const std::string timed = to_string(pirn::with_timeout(c, 1h).ctx);
    EXPECT_TRUE(timed.starts_with("context.Background.WithCancel.WithDeadline([3599.") ||
                timed == "context.Background.WithCancel.WithDeadline([3600.000000s])")
        << timed;
  });
}

TEST_P(context, refuses_a_nil_parent_and_a_nil_key) {
  run([] {
    pirn::context c = pirn::background();
    const pirn::context taken = std::move(c);
    const auto expect_refusal = [](const auto& make, const char* text) {
      try {
        (void)make();
        ADD_FAILURE() << "no exception";
      } catch (const std::invalid_argument& e) {
        EXPECT_STREQ(e.what(), text);
      }
    };
    constexpr const char* k_nil = "cannot create context from nil parent";
    // NOLINTBEGIN(bugprone-use-after-move): that is what is tested
    expect_refusal([&] { return pirn::with_cancel(c); }, k_nil);
    expect_refusal([&] { return pirn::with_cancel_cause(c); }, k_nil);
    expect_refusal([&] { return pirn::with_timeout(c, 1h); }, k_nil);
    expect_refusal([&] { return pirn::with_value(c, &c, 1); }, k_nil);
    expect_refusal([&] { return pirn::without_cancel(c); }, k_nil);
    expect_refusal([&] { return pirn::with_stop_token(c, {}); }, k_nil);
    expect_refusal([&] { return pirn::after_func(c, [] {}); }, k_nil);
    // NOLINTEND(bugprone-use-after-move)
    expect_refusal([&] { return pirn::with_value(taken, nullptr, 1); }, "nil key");
  });
}

// Go: TestWithCancel
TEST_P(context, is_cancelled_before_cancel_returns_and_only_once) {
  run([] {
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    expect_alive(c);
    cancel();
    expect_ended(c, context_errc::canceled);
    EXPECT_EQ(text_of(c.cause()), "context canceled");
    cancel();
    expect_ended(c, context_errc::canceled);
    EXPECT_EQ(c.done(), c.done());
  });
}

TEST_P(context, closes_a_channel_that_was_asked_for_before_and_wakes_who_waits) {
  run([] {
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    pirn::wait_group wg;
    std::atomic<int> woken{0};
    for (int i = 0; i < 10; ++i) {
      wg.go([&, c = c] {
        EXPECT_FALSE(c.done().recv());
        EXPECT_EQ(c.err(), context_errc::canceled) << "the channel was closed before there was an error";
        ++woken;
      });
    }
    let_others_run();
    EXPECT_EQ(woken, 0);
    cancel();
    wg.wait();
    EXPECT_EQ(woken, 10);
  });
}

// Go: TestParentFinishesChild, TestChildFinishesFirst
TEST_P(context, is_cancelled_with_its_parent_through_whatever_lies_between_but_not_by_its_children) {
  run([] {
    static const int key = 0;
    const auto [top, cancel_top] = pirn::with_cancel(pirn::background());
    const auto [child, cancel_child] = pirn::with_cancel(top);
    const pirn::context value = pirn::with_value(top, &key, 1);
    const auto [below, cancel_below] = pirn::with_timeout(value, 1h);
    const auto [deep, cancel_deep] = pirn::with_cancel_cause(pirn::with_value(below, &key, 2));
    const pirn::context apart = pirn::without_cancel(below);
    cancel_deep(why("deep"));
    expect_ended(deep, context_errc::canceled);
    expect_alive(below);
    cancel_child();
    expect_alive(top);
    cancel_top();
    for (const pirn::context& c : {top, value, below}) expect_ended(c, context_errc::canceled);
    EXPECT_EQ(text_of(deep.cause()), "deep");
    EXPECT_FALSE(apart.err());
    EXPECT_FALSE(apart.done());
  });
}

// Go: TestChildFinishesFirst over TestCustomContextPropagation's point: at birth
TEST_P(context, is_cancelled_at_birth_with_the_cause_of_its_parent) {
  run([] {
    const auto [parent, cancel] = pirn::with_cancel_cause(pirn::background());
    cancel(why("early"));
    for (const pirn::context& c :
         {pirn::with_cancel(parent).ctx, pirn::with_timeout(parent, 1h).ctx,
          pirn::with_timeout_cause(parent, -1h, why("late")).ctx, pirn::with_stop_token(parent, {}).ctx}) {
      expect_ended(c, context_errc::canceled);
      EXPECT_EQ(text_of(c.cause()), "early");
    }
  });
}

// Go: TestDeadline, TestTimeout
TEST_P(context, ends_at_its_deadline) {
  run([] {
    const auto begin = pirn::now();
    const auto [c, cancel] = pirn::with_timeout(pirn::background(), 2ms);
    EXPECT_GE(*c.deadline(), begin + 2ms);
    expect_alive(c);
    EXPECT_FALSE(c.done().recv());
    EXPECT_GE(pirn::now() - begin, 2ms);
    expect_ended(c, context_errc::deadline_exceeded);
    EXPECT_EQ(text_of(c.cause()), "context deadline exceeded");
    const auto [d, cancel_d] = pirn::with_deadline(pirn::background(), std::chrono::system_clock::now() + 1ms);
    d.done().recv();
    expect_ended(d, context_errc::deadline_exceeded);
  });
}

TEST_P(context, keeps_the_earlier_of_two_deadlines) {
  run([] {
    const auto [soon, cancel_soon] = pirn::with_timeout(pirn::background(), 2ms);
    const auto [late, cancel_late] = pirn::with_timeout_cause(soon, 1h, why("late"));
    EXPECT_EQ(late.deadline(), soon.deadline());
    late.done().recv();
    expect_ended(late, context_errc::deadline_exceeded);
    EXPECT_EQ(text_of(late.cause()), "context deadline exceeded");
    const auto [far, cancel_far] = pirn::with_timeout(pirn::background(), 1h);
    const auto [near, cancel_near] = pirn::with_timeout(pirn::with_cancel(far).ctx, 1ms);
    EXPECT_LT(*near.deadline(), *far.deadline());
    EXPECT_EQ(pirn::with_cancel(near).ctx.deadline(), near.deadline());
    EXPECT_FALSE(pirn::without_cancel(near).deadline());
    near.done().recv();
    expect_alive(far);
  });
}

// Go: TestCanceledTimeout
TEST_P(context, that_was_cancelled_first_stays_so_after_its_deadline) {
  run([] {
    const auto [c, cancel] = pirn::with_timeout(pirn::background(), 1ms);
    cancel();
    expect_ended(c, context_errc::canceled);
    pirn::sleep_for(3ms);
    expect_ended(c, context_errc::canceled);
  });
}

TEST_P(context, with_a_deadline_that_has_passed_begins_ended) {
  run([] {
    for (const pirn::context& c :
         {pirn::with_timeout(pirn::background(), 0s).ctx, pirn::with_timeout(pirn::background(), -1h).ctx,
          pirn::with_deadline(pirn::background(), pirn::now()).ctx,
          pirn::with_deadline(pirn::background(), pirn::time_point::min()).ctx}) {
      expect_ended(c, context_errc::deadline_exceeded);
    }
    const auto [never, cancel] = pirn::with_deadline(pirn::background(), pirn::time_point::max());
    expect_alive(never);
  });
}

// Go: TestCause. Which of several causes stays.
TEST_P(context, keeps_the_cause_of_what_came_first) {
  run([] {
    const pirn::context bg = pirn::background();
    const auto expect = [](const pirn::context& c, context_errc err, const char* cause) {
      EXPECT_EQ(c.err(), err) << cause;
      EXPECT_EQ(text_of(c.cause()), cause);
    };
    constexpr auto k_canceled = context_errc::canceled;
    constexpr auto k_exceeded = context_errc::deadline_exceeded;
    {  // WithCancelCause: a cause, none, an error code, twice
      const auto a = pirn::with_cancel_cause(bg), b = pirn::with_cancel_cause(bg), c = pirn::with_cancel_cause(bg),
                 d = pirn::with_cancel_cause(bg), e = pirn::with_cancel_cause(bg);
      a.cancel(why("parent"));
      expect(a.ctx, k_canceled, "parent");
      b.cancel(nullptr);
      expect(b.ctx, k_canceled, "context canceled");
      c.cancel(make_error_code(std::errc::io_error));
      expect(c.ctx, k_canceled, std::make_error_code(std::errc::io_error).message().c_str());
      d.cancel();
      d.cancel(why("late"));
      expect(d.ctx, k_canceled, "context canceled");
      e.cancel(std::error_code());
      expect(e.ctx, k_canceled, "context canceled");
    }
    {  // a child has its parent's cause
      const auto parent = pirn::with_cancel_cause(bg);
      const auto plain = pirn::with_cancel(parent.ctx);
      const auto own = pirn::with_cancel_cause(parent.ctx);
      parent.cancel(why("parent"));
      own.cancel(why("child"));
      plain.cancel();
      for (const pirn::context& c : {parent.ctx, plain.ctx, own.ctx}) expect(c, k_canceled, "parent");
    }
    {  // but its own if that came first
      const auto parent = pirn::with_cancel_cause(bg);
      const auto own = pirn::with_cancel_cause(parent.ctx);
      own.cancel(why("child"));
      parent.cancel(why("parent"));
      expect(own.ctx, k_canceled, "child");
      expect(parent.ctx, k_canceled, "parent");
    }
    {  // parent cancelled without one, child with
      const auto parent = pirn::with_cancel(bg);
      const auto child = pirn::with_cancel_cause(parent.ctx);
      parent.cancel();
      child.cancel(why("child"));
      expect(child.ctx, k_canceled, "context canceled");
    }
    {  // deadlines: past, past with a cause, cancelled first
      expect(pirn::with_timeout(bg, 0s).ctx, k_exceeded, "context deadline exceeded");
      expect(pirn::with_timeout_cause(bg, 0s, why("slow")).ctx, k_exceeded, "slow");
      expect(pirn::with_deadline_cause(bg, pirn::now(), why("slow")).ctx, k_exceeded, "slow");
      const auto c = pirn::with_timeout_cause(bg, 1h, why("slow"));
      c.cancel();
      expect(c.ctx, k_canceled, "context canceled");
      const auto soon = pirn::with_timeout_cause(bg, 1ms, why("slow"));
      soon.ctx.done().recv();
      expect(soon.ctx, k_exceeded, "slow");
      const auto below = pirn::with_cancel(soon.ctx);
      expect(below.ctx, k_exceeded, "slow");
    }
    {  // a parent's cause goes before a deadline's
      const auto parent = pirn::with_cancel_cause(bg);
      const auto child = pirn::with_timeout_cause(parent.ctx, 1h, why("slow"));
      parent.cancel(why("parent"));
      expect(child.ctx, k_canceled, "parent");
    }
    {  // WithoutCancel has none
      const auto parent = pirn::with_cancel_cause(bg);
      const pirn::context apart = pirn::without_cancel(parent.ctx);
      parent.cancel(why("parent"));
      EXPECT_EQ(apart.cause(), nullptr);
      EXPECT_FALSE(apart.err());
      const auto below = pirn::with_cancel_cause(apart);
      EXPECT_EQ(below.ctx.cause(), nullptr);
      below.cancel(why("child"));
      expect(below.ctx, k_canceled, "child");
    }
  });
}

// Go: TestValues
TEST_P(context, holds_values_in_layers) {
  run([] {
    static const int a = 0, b = 0, c = 0;
    const pirn::context one = pirn::with_value(pirn::background(), &a, std::string("c1k1"));
    ASSERT_NE(one.value<std::string>(&a), nullptr);
    EXPECT_EQ(*one.value<std::string>(&a), "c1k1");
    EXPECT_EQ(one.value<std::string>(&b), nullptr);
    EXPECT_EQ(one.value<std::string>(nullptr), nullptr);
    EXPECT_EQ(one.value<int>(&a), nullptr) << "not an int";
    const pirn::context two = pirn::with_value(pirn::with_cancel(one).ctx, &b, 2);
    const pirn::context three = pirn::with_value(pirn::without_cancel(two), &a, std::string("c3k1"));
    EXPECT_EQ(*two.value<std::string>(&a), "c1k1");
    EXPECT_EQ(*two.value<int>(&b), 2);
    EXPECT_EQ(*three.value<std::string>(&a), "c3k1");
    EXPECT_EQ(*three.value<int>(&b), 2);
    EXPECT_EQ(three.value<int>(&c), nullptr);
    const pirn::context moved = pirn::with_value(three, &c, std::make_unique<int>(7));
    EXPECT_EQ(**moved.value<std::unique_ptr<int>>(&c), 7);
  });
}

TEST_P(context, frees_a_value_with_the_last_context_that_has_it) {
  run([] {
    static const int key = 0;
    std::atomic<int> destroyed{0};
    {
      std::optional<pirn::context> below;
      {
        const pirn::context c =
            pirn::with_value(pirn::background(), &key, std::make_shared<tell_when_destroyed>(destroyed));
        below = pirn::with_cancel(c).ctx;
      }
      EXPECT_EQ(destroyed, 0);
    }
    EXPECT_EQ(destroyed, 1);
  });
}

TEST_P(context, that_is_dropped_leaves_its_parent) {
  run([] {
    const auto [parent, cancel] = pirn::with_cancel(pirn::background());
    for (int i = 0; i < 100; ++i) {
      (void)pirn::with_cancel(parent);
      (void)pirn::with_timeout(parent, 1h);
      pirn::with_cancel(parent).cancel();
    }
    cancel();
    EXPECT_TRUE(parent.err());
  });
}

// A chain that is freed, or cancelled, one by the other would need as much stack as it is long.
TEST_P(context, may_be_a_chain_of_a_hundred_thousand) {
  run([] {
    const auto [top, cancel] = pirn::with_cancel(pirn::background());
    pirn::context c = top;
    for (int i = 0; i < scaled(100'000); ++i) c = pirn::with_cancel(c).ctx;
    expect_alive(c);
    cancel();
    expect_ended(c, context_errc::canceled);
  });
}

// --- after_func ---

// Go: TestAfterFunc*
TEST_P(context, runs_a_function_once_when_it_is_cancelled) {
  run([] {
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    std::atomic<int> calls{0};
    const pirn::chan<void> ran(1);
    const auto stop = pirn::after_func(c, [&, ran] {
      ++calls;
      ran.send();
    });
    let_others_run();
    EXPECT_EQ(calls, 0);
    cancel();
    ran.recv();
    cancel();
    let_others_run();
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(stop());
  });
}

TEST_P(context, runs_a_function_at_once_that_comes_too_late) {
  run([] {
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    cancel();
    const pirn::chan<std::uint64_t> ran;
    const auto stop = pirn::after_func(c, [=] { ran.send(pirn::runtime::goid()); });
    EXPECT_FALSE(stop());
    EXPECT_NE(ran.recv(), pirn::runtime::goid()) << "on a goroutine of its own";
  });
}

TEST_P(context, runs_no_function_that_was_stopped_and_frees_it) {
  run([] {
    std::atomic<int> destroyed{0};
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    {
      const auto stop = pirn::after_func(c, [t = tell_when_destroyed(destroyed)] { ADD_FAILURE() << "it runs"; });
      const auto also = stop;  // NOLINT(performance-unnecessary-copy-initialization)
      EXPECT_TRUE(also());
      EXPECT_FALSE(stop());
    }
    EXPECT_EQ(destroyed, 1);
    cancel();
    let_others_run();
    // For ever out of reach: nothing to run, but there to be stopped.
    const auto never = pirn::after_func(pirn::background(), [t = tell_when_destroyed(destroyed)] {});
    EXPECT_TRUE(never());
    EXPECT_FALSE(never());
  });
}

TEST_P(context, runs_a_function_that_nobody_keeps_by_its_deadline_or_its_parent) {
  run([] {
    const pirn::chan<int> ran;
    (void)pirn::after_func(pirn::with_timeout(pirn::background(), 1ms).ctx, [=] { ran.send(1); });
    EXPECT_EQ(ran.recv(), 1);
    const auto [parent, cancel] = pirn::with_cancel(pirn::background());
    (void)pirn::after_func(pirn::with_cancel(parent).ctx, [=] { ran.send(2); });
    cancel();
    EXPECT_EQ(ran.recv(), 2);
  });
}

TEST_P(context, is_stopped_and_cancelled_at_once_by_exactly_one) {
  run([] {
    for (int i = 0; i < scaled(3000); ++i) {
      const auto [c, cancel] = pirn::with_cancel(pirn::background());
      const auto ran = std::make_shared<std::atomic<int>>(0);
      const auto stop = pirn::after_func(c, [ran] { ++*ran; });
      auto h = pirn::spawn([&cancel = cancel] { cancel(); });
      const bool stopped = stop();
      h.get();
      if (!stopped) {
        yield_until([&] { return *ran == 1; });
      } else {
        EXPECT_EQ(*ran, 0);
      }
    }
  });
}

TEST(context_outside_a_run, cancels_but_runs_no_function) {
  std::atomic<int> destroyed{0};
  const auto [c, cancel] = pirn::with_cancel(pirn::background());
  {
    (void)pirn::after_func(c, [t = tell_when_destroyed(destroyed)] { ADD_FAILURE() << "it runs"; });
  }
  const auto below = pirn::with_timeout(c, 1h);
  cancel();
  expect_ended(c, context_errc::canceled);
  expect_ended(below.ctx, context_errc::canceled);
  EXPECT_EQ(destroyed, 1);
}

TEST_P(context, is_cancelled_by_a_thread_and_runs_the_function_on_a_goroutine) {
  run([] {
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    const pirn::chan<std::uint64_t> ran(1);
    (void)pirn::after_func(c, [=] { ran.send(pirn::runtime::goid()); });
    std::thread t([cancel = cancel] { cancel(); });
    EXPECT_NE(ran.recv(), 0U);
    expect_ended(c, context_errc::canceled);
    join(t);
  });
}

// --- Stop tokens ---

TEST_P(context, requests_a_stop_of_who_has_its_token) {
  run([] {
    const auto [parent, cancel] = pirn::with_cancel(pirn::background());
    const auto [c, cancel_c] = pirn::with_cancel(parent);
    const std::stop_token token = c.stop_token();
    EXPECT_TRUE(token.stop_possible());
    EXPECT_EQ(token, c.stop_token());
    int calls = 0;
    const std::stop_callback callback(token, [&] { ++calls; });
    EXPECT_FALSE(token.stop_requested());
    cancel();
    EXPECT_TRUE(token.stop_requested());
    EXPECT_EQ(calls, 1) << "before cancel() has returned";
    EXPECT_TRUE(pirn::with_cancel(c).ctx.stop_token().stop_requested()) << "asked for later";
  });
}

TEST_P(context, survives_a_callback_that_drops_the_last_share_of_it) {
  run([] {
    auto c = std::make_unique<pirn::cancelable_context>(pirn::with_cancel(pirn::background()));
    const std::stop_token token = c->ctx.stop_token();
    const std::stop_callback callback(token, [&] { c.reset(); });
    c->cancel();
    EXPECT_EQ(c, nullptr);
  });
}

TEST_P(context, is_cancelled_by_a_stop_token) {
  run([] {
    std::stop_source source;
    const auto [c, cancel] = pirn::with_stop_token(pirn::background(), source.get_token());
    const auto [other, cancel_other] = pirn::with_stop_token(pirn::background(), source.get_token());
    const auto below = pirn::with_cancel(c);
    expect_alive(c);
    cancel_other();
    expect_ended(other, context_errc::canceled);
    {
      const pirn::runtime::os_thread_lock stay;
      source.request_stop();
    }
    expect_ended(c, context_errc::canceled);
    expect_ended(below.ctx, context_errc::canceled);
    expect_ended(pirn::with_stop_token(pirn::background(), source.get_token()).ctx, context_errc::canceled);
    expect_alive(pirn::with_stop_token(pirn::background(), {}).ctx);
  });
}

TEST_P(context, is_cancelled_by_a_jthread_that_is_asked_to_stop) {
  run([] {
    const pirn::chan<bool> ended;
    std::jthread t([=](std::stop_token token) {
      const auto [c, cancel] = pirn::with_stop_token(pirn::background(), std::move(token));
      ended.send(c.done().recv());
    });
    t.request_stop();
    EXPECT_EQ(ended.recv(), false);
    pirn::runtime::blocking([&] { t.join(); });
  });
}

// A stop is requested while the last share is dropped. By a thread: the standard's tokens tell who does what by
// threads, and ThreadSanitizer does not know that two goroutines ran on one.
TEST_P(context, may_end_while_its_token_is_stopped) {
  run([] {
    for (int i = 0; i < scaled(500); ++i) {
      std::stop_source source;
      auto c =
          std::make_unique<pirn::cancelable_context>(pirn::with_stop_token(pirn::background(), source.get_token()));
      std::thread t([&] { source.request_stop(); });
      pirn::runtime::gosched();
      c.reset();
      join(t);
    }
  });
}

// --- All at once ---

// Go: TestSimultaneousCancels
TEST_P(context, tree_of_a_hundred_is_cancelled_from_everywhere_at_once) {
  run([] {
    const auto root = pirn::with_cancel(pirn::background());
    std::vector<pirn::cancelable_context> all{root};
    for (std::size_t at = 0; all.size() < 100; ++at) {
      for (int i = 0; i < 2; ++i) all.push_back(pirn::with_cancel(pirn::context(all[at].ctx)));
    }
    pirn::wait_group wg;
    for (const auto& one : all) {
      wg.go([cancel = one.cancel] { cancel(); });
    }
    wg.wait();
    for (const auto& one : all) {
      one.ctx.done().recv();
      EXPECT_EQ(one.ctx.err(), context_errc::canceled);
    }
  });
}

// Go: TestInterlockedCancels. The child's end cancels the parent, whose end cancels the child.
TEST_P(context, parent_and_child_may_cancel_each_other) {
  run([] {
    const auto [parent, cancel_parent] = pirn::with_cancel(pirn::background());
    const auto [child, cancel_child] = pirn::with_cancel(parent);
    pirn::go([parent = parent, cancel_child = cancel_child] {
      parent.done().recv();
      cancel_child();
    });
    cancel_parent();
    child.done().recv();
    EXPECT_EQ(child.err(), context_errc::canceled);
  });
}

// Children come and go, by deadlines too, while the root ends.
TEST_P(context, is_made_cancelled_and_dropped_at_once_by_many) {
  run([] {
    for (int round = 0; round < scaled(50); ++round) {
      const auto [root, cancel] = pirn::with_cancel(pirn::background());
      pirn::wait_group wg;
      for (unsigned g = 0; g < 8; ++g) {
        wg.go([&root = root, g] {
          auto random = random_for(g);
          std::vector<pirn::cancelable_context> kept;
          while (!root.err()) {
            auto c = random() % 2 == 0 ? pirn::with_cancel(root)
                                       : pirn::with_timeout(root, std::chrono::microseconds(random() % 50));
            auto below = pirn::with_cancel(c.ctx);
            if (random() % 4 == 0) (void)c.ctx.done();
            if (random() % 2 == 0) c.cancel();
            if (random() % 2 == 0) kept.push_back(std::move(below));
            if (kept.size() > 20) kept.clear();
            if (random() % 8 == 0) pirn::runtime::gosched();
          }
          for (const auto& one : kept) one.ctx.done().recv();
        });
      }
      std::thread t([cancel = cancel] { cancel(); });
      wg.wait();
      join(t);
    }
  });
}

// Whoever sees the error sees what was done before the cancellation.
TEST_P(context, orders_memory) {
  run([] {
    for (int i = 0; i < scaled(1000); ++i) {
      const auto [c, cancel] = pirn::with_cancel(pirn::background());
      long plain = 0;
      auto h = pirn::spawn([&, cancel = cancel] {
        plain = 1;
        cancel();
      });
      if (i % 2 == 0) {
        c.done().recv();
      } else {
        yield_until([&c = c] { return static_cast<bool>(c.err()); });
      }
      EXPECT_EQ(plain, 1);
      h.get();
    }
  });
}

}  // namespace
