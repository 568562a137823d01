// blocking(f): f runs on this thread while the others go on, its result and its exceptions come back, and pirn calls
// inside f work.
// Layer: tests of src/sched, through the public headers.
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/child.h"
#include "support/proc.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class blocking : public on_procs {};
PIRN_TEST_ON_PROCS(blocking);

TEST_P(blocking, gives_the_result) {
  run([] {
    EXPECT_EQ(pirn::runtime::blocking([] { return 5; }), 5);
    EXPECT_EQ(*pirn::runtime::blocking([] { return std::make_unique<int>(6); }), 6);
    int target = 0;
    static_assert(std::is_void_v<decltype(pirn::runtime::blocking([] {}))>);
    pirn::runtime::blocking([&] { target = 7; });
    EXPECT_EQ(target, 7);
    int& same = pirn::runtime::blocking([&]() -> int& { return target; });
    EXPECT_EQ(&same, &target);
  });
}

TEST_P(blocking, passes_exceptions_on) {
  run([] {
    EXPECT_THROW(pirn::runtime::blocking([]() -> int { throw std::runtime_error("inside"); }), std::runtime_error);
    EXPECT_EQ(pirn::spawn([] { return 1; }).get(), 1);
    try {
      pirn::runtime::blocking([] { pirn::runtime::blocking([] { throw 5; }); });
      ADD_FAILURE() << "nothing was thrown";
    } catch (int v) {
      EXPECT_EQ(v, 5);
      pirn::runtime::gosched();
    }
  });
}

TEST_P(blocking, runs_on_the_calling_thread) {
  run([] {
    pirn::runtime::os_thread_lock here;
    const long tid = thread_id();
    EXPECT_EQ(pirn::runtime::blocking([] { return thread_id(); }), tid);
    EXPECT_EQ(thread_id(), tid);
  });
}

TEST_P(blocking, lets_others_run_meanwhile) {
  run([] {
    std::binary_semaphore semaphore(0);
    pirn::go([&] { semaphore.release(); });
    pirn::runtime::blocking([&] { semaphore.acquire(); });
  });
}

// Go: TestPreemptionAfterSyscall's neighbour: more calls in flight than Ps.
TEST_P(blocking, calls_are_in_flight_together_whatever_the_procs) {
  run([] {
    constexpr int k_calls = 12;
    std::barrier all(k_calls);
    pirn::wait_group wg;
    for (int i = 0; i < k_calls; ++i) {
      wg.go([&] { pirn::runtime::blocking([&] { all.arrive_and_wait(); }); });
    }
    wg.wait();
  });
}

// Go: TestPreemptionAfterSyscall
TEST_P(blocking, many_short_and_long_calls_all_finish) {
  run([] {
    for (const int us : {10, 100, 1000}) {
      pirn::wait_group wg;
      for (int i = 0; i < 8; ++i) {
        wg.go([us] {
          for (int k = 0; k < 2000 / us; ++k) pirn::runtime::blocking([us] { usleep(static_cast<unsigned>(us)); });
        });
      }
      wg.wait();
    }
  });
}

TEST_P(blocking, allows_pirn_calls_inside) {
  run([] {
    pirn::chan<int> in, out;
    pirn::mutex m;
    pirn::wait_group wg;
    auto h = pirn::spawn([&] {
      const auto me = pirn::runtime::goid();
      return pirn::runtime::blocking([&] {
        EXPECT_EQ(pirn::runtime::goid(), me);
        const int got = in.recv().value();
        wg.go([&] { out.send(got * 2); });
        pirn::sleep_for(10us);
        std::scoped_lock hold(m);
        pirn::runtime::gosched();
        int doubled = 0;
        EXPECT_EQ(pirn::select(pirn::recv(pirn::chan<int>(nullptr)), pirn::recv(out, doubled)), 1);
        return doubled + pirn::spawn([] { return 1; }).get();
      });
    });
    in.send(20);
    EXPECT_EQ(h.get(), 41);
    wg.wait();
  });
}

TEST_P(blocking, nests) {
  run([] {
    EXPECT_EQ(pirn::runtime::blocking([] {
                const int inner = pirn::runtime::blocking([] {
                  pirn::runtime::gosched();
                  return 3;
                });
                return inner + pirn::spawn([] { return 4; }).get();
              }),
              7);
  });
}

TEST_P(blocking, goexit_inside_ends_the_goroutine) {
  run([] {
    auto h = pirn::spawn([] { pirn::runtime::blocking([] { pirn::runtime::goexit(); }); });
    EXPECT_THROW(h.get(), pirn::goroutine_exited);
    EXPECT_EQ(pirn::spawn([] { return 1; }).get(), 1);
  });
}

TEST_P(blocking, on_a_plain_thread_just_calls) {
  run([] {
    int got = 0;
    std::thread t([&] { got = pirn::runtime::blocking([] { return 4; }); });
    join(t);
    EXPECT_EQ(got, 4);
  });
}

TEST_P(blocking, holders_of_std_locks_do_not_stop_the_rest) {
  run([] {
    std::mutex native;
    std::condition_variable changed;
    bool ready = false;
    auto waiter = pirn::spawn([&] {
      pirn::runtime::blocking([&] {
        std::unique_lock lock(native);
        changed.wait(lock, [&] { return ready; });
      });
    });
    pirn::spawn([&] {
      std::scoped_lock lock(native);
      ready = true;
      changed.notify_one();
    }).get();
    waiter.get();
  });
}

// Nobody waits for it: neither the others nor, beyond its grace, the end of the run. It is no deadlock either, as the
// call might come back.
PIRN_CHILD(blocks_for_ever) {
  pirn::config c = with_procs(1);
  c.shutdown_grace = 10ms;
  c.lock_main_thread = true;  // run() cannot return before its own thread does
  return pirn::run(c, [] {
    int silent[2];
    if (pipe(silent) != 0) return 1;
    std::atomic<bool> in_call{false};
    pirn::go([&in_call, end = silent[0]] {
      pirn::runtime::blocking([&] {
        in_call = true;
        char b = 0;
        if (read(end, &b, 1) >= 0) std::printf("came back\n");
      });
    });
    yield_until([&] { return in_call.load(); });
    const pirn::chan<int> from_another;
    pirn::go([from_another] { from_another.send(5); });
    pirn::sleep_for(20ms);  // the process is idle but for the call
    return from_another.recv().value();
  });
}
TEST(blocking_for_ever, stops_neither_the_others_nor_the_end_of_the_run) {
  const auto result = run_child("blocks_for_ever");
  EXPECT_EQ(result.exit_code, 5) << result.describe();
  EXPECT_EQ(result.output, "");
}

TEST(blocking_at_exit, run_ends_after_calls_that_are_in_flight) {
  std::atomic<bool> in_call{false};
  std::atomic<bool> over{false};
  std::atomic<int> went_on{0};
  std::thread later([&] {
    spin_until([&] { return in_call.load(); });
    spin_until([] { return pirn::runtime::num_goroutine() <= 1; });  // main has ended, and the run with it
    over = true;
  });
  pirn::config c = with_procs(1);
  c.shutdown_grace = 30s;
  pirn::run(c, [&] {
    pirn::go([&] {
      pirn::runtime::blocking([&] {
        in_call = true;
        spin_until([&] { return over.load(); });
      });
      pirn::runtime::gosched();
      ++went_on;
    });
    yield_until([&] { return in_call.load(); });
  });
  later.join();
  run_on(1, [] { let_others_run(); });
  EXPECT_EQ(went_on, 0) << "an abandoned goroutine came back from its call and ran on";
}

}  // namespace
