// Waits with a context, on every primitive: refused when it has ended, woken when it ends, and nothing lost of what
// came first. Layer: tests of src/sync, through the public headers.
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;
using pirn::context_errc;

// One way to wait, for ever but for its context.
struct endless_wait {
  const char* name;
  std::function<std::error_code(const pirn::context&)> wait;
  std::function<void()> afterwards = [] {};  // what must still work
};

// Everything that can be waited for, in a state in which the wait does not end by itself.
struct everything {
  pirn::chan<int> empty, full{1}, unbuffered, nil{nullptr};
  pirn::chan<void> signal, echo;
  pirn::chan<std::string> boxed{1};
  pirn::mutex mu, cv_mu;
  pirn::shared_mutex written, read;
  pirn::semaphore sem{2};
  pirn::wait_group group;
  pirn::latch latch{1};
  pirn::barrier<> phase{2};
  pirn::barrier<>::arrival_token arrived = phase.arrive();
  pirn::condition_variable cv;
  pirn::chan<void> end_of_joined;
  pirn::join_handle<void> joined = pirn::spawn([c = end_of_joined] { c.recv(); });

  everything() {
    full.send(1);
    boxed.send("first");
    mu.lock();
    written.lock();
    read.lock_shared();
    sem.acquire(1);
    group.add(1);
  }
  everything(const everything&) = delete;
  everything& operator=(const everything&) = delete;
  ~everything() {
    end_of_joined.close();
    joined.join();
    group.done();
    mu.unlock();
    written.unlock();
    read.unlock_shared();
    sem.release(1);
  }

  std::vector<endless_wait> waits() {
    return {
        {"recv",
         [this](const pirn::context& c) {
           std::optional<int> v(7);
           const std::error_code e = empty.recv(c, v);
           EXPECT_EQ(v, 7) << "touched";
           return e;
         },
         [this] { EXPECT_FALSE(empty.try_send(1)) << "somebody still receives"; }},
        {"send to a full channel", [this](const pirn::context& c) { return full.send(c, 2); },
         [this] { EXPECT_EQ(full.len(), 1U); }},
        {"send without a receiver", [this](const pirn::context& c) { return unbuffered.send(c, 2); },
         [this] { EXPECT_FALSE(unbuffered.try_recv()); }},
        {"send of a string",
         [this](const pirn::context& c) {
           std::string s(100, 'x');
           const std::error_code e = boxed.send(c, std::move(s));
           EXPECT_EQ(s.size(), 100U) << "moved from";  // NOLINT(bugprone-use-after-move)
           return e;
         },
         [this] { EXPECT_EQ(boxed.len(), 1U); }},
        {"recv of nothing",
         [this](const pirn::context& c) {
           bool received = true;
           const std::error_code e = signal.recv(c, received);
           EXPECT_TRUE(received) << "touched";
           return e;
         }},
        {"send of nothing", [this](const pirn::context& c) { return echo.send(c); }},
        {"send to the nil channel", [this](const pirn::context& c) { return nil.send(c, 1); }},
        {"recv from the nil channel",
         [this](const pirn::context& c) {
           std::optional<int> v;
           return nil.recv(c, v);
         }},
        {"mutex", [this](const pirn::context& c) { return mu.lock(c); }, [this] { EXPECT_FALSE(mu.try_lock()); }},
        {"shared_mutex read", [this](const pirn::context& c) { return written.lock_shared(c); },
         [this] { EXPECT_FALSE(written.try_lock_shared()); }},
        {"shared_mutex write", [this](const pirn::context& c) { return written.lock(c); }},
        {"shared_mutex write beside a reader", [this](const pirn::context& c) { return read.lock(c); },
         [this] {
           ASSERT_TRUE(read.try_lock_shared()) << "a writer that gave up still keeps readers out";
           read.unlock_shared();
         }},
        {"semaphore", [this](const pirn::context& c) { return sem.acquire(c, 2); },
         [this] {
           ASSERT_TRUE(sem.try_acquire(1)) << "who gave up still stands in the way";
           sem.release(1);
         }},
        {"semaphore too small", [this](const pirn::context& c) { return sem.acquire(c, 3); }},
        {"wait_group", [this](const pirn::context& c) { return group.wait(c); }},
        {"latch", [this](const pirn::context& c) { return latch.wait(c); }},
        {"barrier", [this](const pirn::context& c) { return phase.wait(c, arrived); }},
        {"condition_variable",
         [this](const pirn::context& c) {
           std::unique_lock lock(cv_mu);
           const std::error_code e = cv.wait(c, lock);
           EXPECT_TRUE(lock.owns_lock());
           return e;
         }},
        {"condition_variable with a predicate",
         [this](const pirn::context& c) {
           std::unique_lock lock(cv_mu);
           return cv.wait(c, lock, [] { return false; });
         }},
        {"join", [this](const pirn::context& c) { return joined.join(c); }},
        {"sleep_for", [](const pirn::context& c) { return pirn::sleep_for(c, 24h); }},
        {"sleep_until", [](const pirn::context& c) { return pirn::sleep_until(c, pirn::time_point::max()); }},
    };
  }
};

class cancellation : public on_procs {};
PIRN_TEST_ON_PROCS(cancellation);

TEST_P(cancellation, refuses_every_wait_when_the_context_has_ended) {
  run([] {
    everything all;
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    cancel();
    const auto expired = pirn::with_timeout(pirn::background(), 0s).ctx;
    for (const endless_wait& w : all.waits()) {
      EXPECT_EQ(w.wait(c), context_errc::canceled) << w.name;
      EXPECT_EQ(w.wait(expired), context_errc::deadline_exceeded) << w.name;
      w.afterwards();
    }
  });
}

TEST_P(cancellation, refuses_also_what_would_not_have_waited) {
  run([] {
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    cancel();
    pirn::mutex mu;
    EXPECT_TRUE(mu.lock(c));
    EXPECT_TRUE(mu.try_lock());
    mu.unlock();
    pirn::shared_mutex sm;
    EXPECT_TRUE(sm.lock(c));
    EXPECT_TRUE(sm.lock_shared(c));
    EXPECT_TRUE(sm.try_lock());
    sm.unlock();
    pirn::semaphore s(1);
    EXPECT_TRUE(s.acquire(c, 1));  // x/sync: TestWeightedAcquire with a done context
    EXPECT_TRUE(s.try_acquire(1));
    const pirn::chan<int> ch(1);
    EXPECT_TRUE(ch.send(c, 1));
    EXPECT_EQ(ch.len(), 0U);
    EXPECT_THROW((void)s.acquire(c, -1), std::invalid_argument);
  });
}

TEST_P(cancellation, wakes_every_wait_at_once) {
  run([] {
    everything all;
    for (const endless_wait& w : all.waits()) {
      for (const bool late : {true, false}) {
        const auto [c, cancel] = pirn::with_cancel(pirn::background());
        auto h = pirn::spawn([&w, c = c] { return w.wait(c); });
        if (late) let_others_run();
        cancel();
        EXPECT_EQ(h.get(), context_errc::canceled) << w.name;
        w.afterwards();
      }
    }
  });
}

TEST_P(cancellation, by_a_deadline_or_an_ancestor_wakes_as_well) {
  run([] {
    everything all;
    for (const endless_wait& w : all.waits()) {
      EXPECT_EQ(w.wait(pirn::with_timeout(pirn::background(), 200us).ctx), context_errc::deadline_exceeded) << w.name;
    }
    const auto [top, cancel] = pirn::with_cancel(pirn::background());
    std::vector<pirn::join_handle<std::error_code>> waiting;
    static const int key = 0;
    for (const endless_wait& w : all.waits()) {
      if (std::string(w.name).starts_with("join")) continue;  // one at a time
      waiting.push_back(
          pirn::spawn([w, c = pirn::with_value(pirn::with_cancel(top).ctx, &key, 1)] { return w.wait(c); }));
    }
    let_others_run();
    cancel();
    for (auto& h : waiting) EXPECT_EQ(h.get(), context_errc::canceled);
  });
}

TEST_P(cancellation, wakes_threads_and_by_threads) {
  run([] {
    everything all;
    for (const endless_wait& w : all.waits()) {
      const auto [c, cancel] = pirn::with_cancel(pirn::background());
      std::error_code by_thread;
      std::thread waits([&, c = c] { by_thread = w.wait(c); });
      const bool one_at_a_time = std::string(w.name).starts_with("join");
      std::error_code by_goroutine = context_errc::canceled;
      pirn::wait_group wg;
      if (!one_at_a_time) {
        wg.go([&, c = c] { by_goroutine = w.wait(c); });
      }
      let_others_run();
      std::thread cancels([cancel = cancel] { cancel(); });
      join(cancels);
      join(waits);
      wg.wait();
      EXPECT_EQ(by_thread, context_errc::canceled) << w.name;
      EXPECT_EQ(by_goroutine, context_errc::canceled) << w.name;
    }
  });
}

TEST(cancellation_outside_a_run, wakes_threads) {
  pirn::mutex mu;
  mu.lock();
  const auto [c, cancel] = pirn::with_cancel(pirn::background());
  std::error_code locked, slept;
  std::thread a([&, c = c] { locked = mu.lock(c); });
  std::thread b([&, c = c] { slept = pirn::sleep_for(c, 24h); });
  std::this_thread::yield();
  cancel();
  a.join();
  b.join();
  EXPECT_EQ(locked, context_errc::canceled);
  EXPECT_EQ(slept, context_errc::canceled);
  EXPECT_FALSE(pirn::sleep_for(pirn::with_cancel(pirn::background()).ctx, 1ms));
}

// A context that never ends is as good as none.
TEST_P(cancellation, never_comes_of_a_context_that_cannot_end_and_success_is_no_error) {
  run([] {
    const auto live = pirn::with_cancel(pirn::background());
    for (const pirn::context& c : {pirn::background(), live.ctx}) {
      pirn::mutex mu;
      ASSERT_FALSE(mu.lock(c));
      auto h = pirn::spawn([&] { return mu.lock(c); });
      let_others_run();
      mu.unlock();
      EXPECT_FALSE(h.get());
      mu.unlock();

      const pirn::chan<std::string> ch;
      auto sender = pirn::spawn([&] { return ch.send(c, std::string("over")); });
      std::optional<std::string> v;
      EXPECT_FALSE(ch.recv(c, v));
      EXPECT_EQ(v, "over");
      EXPECT_FALSE(sender.get());
      auto receiver = pirn::spawn([&] {
        std::optional<std::string> none("old");
        const std::error_code e = ch.recv(c, none);
        EXPECT_FALSE(none);
        return e;
      });
      let_others_run();
      ch.close();
      EXPECT_FALSE(receiver.get());
      EXPECT_THROW((void)ch.send(c, std::string("late")), pirn::closed_channel);

      pirn::shared_mutex sm;
      ASSERT_FALSE(sm.lock(c));
      auto reader = pirn::spawn([&] { return sm.lock_shared(c); });
      auto writer = pirn::spawn([&] {
        const std::error_code e = sm.lock(c);
        sm.unlock();
        return e;
      });
      let_others_run();
      sm.unlock();
      EXPECT_FALSE(reader.get());
      sm.unlock_shared();
      EXPECT_FALSE(writer.get());

      pirn::wait_group wg;
      wg.add(1);
      auto waits = pirn::spawn([&] { return wg.wait(c); });
      let_others_run();
      wg.done();
      EXPECT_FALSE(waits.get());
      EXPECT_FALSE(wg.wait(c));
      auto ended = pirn::spawn([] {});
      EXPECT_FALSE(ended.join(c));
      ended.get();
      const auto begin = pirn::now();
      EXPECT_FALSE(pirn::sleep_for(c, 1ms));
      EXPECT_GE(pirn::now() - begin, 1ms);
      EXPECT_FALSE(pirn::sleep_for(c, 0s));
      pirn::mutex cv_mu;
      pirn::condition_variable cv;
      bool ready = false;
      auto waiter = pirn::spawn([&] {
        std::unique_lock lock(cv_mu);
        return cv.wait(c, lock, [&] { return ready; });
      });
      let_others_run();
      {
        const std::lock_guard lock(cv_mu);
        ready = true;
      }
      cv.notify_one();
      EXPECT_FALSE(waiter.get());
    }
  });
}

// x/sync: TestWeightedAcquireCanceled at the head of the queue
TEST_P(cancellation, of_the_first_in_a_semaphores_queue_lets_the_next_go) {
  run([] {
    pirn::semaphore s(2);
    s.acquire(1);
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    auto large = pirn::spawn([&, c = c] { return s.acquire(c, 2); });
    yield_until([&] { return !s.try_acquire(0); });
    auto small = pirn::spawn([&] { s.acquire(1); });
    let_others_run();
    EXPECT_FALSE(small.ready());
    cancel();
    small.get();
    EXPECT_TRUE(large.get());
    s.release(2);
  });
}

TEST_P(cancellation, of_a_writer_lets_the_readers_in_that_waited_behind_it) {
  run([] {
    pirn::shared_mutex sm;
    sm.lock_shared();
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    auto writer = pirn::spawn([&, c = c] { return sm.lock(c); });
    yield_until([&] {
      if (!sm.try_lock_shared()) return true;
      sm.unlock_shared();
      return false;
    });
    auto reader = pirn::spawn([&] { sm.lock_shared(); });
    let_others_run();
    EXPECT_FALSE(reader.ready());
    cancel();
    EXPECT_TRUE(writer.get());
    reader.get();
    sm.unlock_shared();
    sm.unlock_shared();
    sm.lock();
    sm.unlock();
  });
}

// Contexts that outlive the run do not find those that waited when it ended.
TEST(cancellation_outside_a_run, finds_nobody_of_a_run_that_has_ended) {
  for (const auto how : {pirn::at_exit::abandon, pirn::at_exit::unwind}) {
    const auto [c, cancel] = pirn::with_cancel(pirn::background());
    pirn::chan<int> empty;
    pirn::mutex mu;
    mu.lock();
    pirn::semaphore s(0);
    pirn::config config = with_procs(2);
    config.at_exit = how;
    pirn::run(config, [&, c = c] {
      for (int i = 0; i < 20; ++i) {
        pirn::go([&, c] {
          std::optional<int> v;
          (void)empty.recv(c, v);
        });
        pirn::go([&, c] { (void)mu.lock(c); });
        pirn::go([&, c] { (void)s.acquire(c); });
        pirn::go([&, c] { (void)pirn::sleep_for(c, 24h); });
      }
      let_others_run();
    });
    cancel();
    mu.unlock();
  }
}

}  // namespace
