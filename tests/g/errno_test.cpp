// errno belongs to the goroutine: it is the same after a park as before, whatever others did on either thread.
// Layer: tests of src/g, through the public headers.
#include <cerrno>
#include <cfenv>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class errno_value : public on_procs {};
PIRN_TEST_ON_PROCS(errno_value);

// errno's address is a const function's result to the compiler, which may keep it across a park that changes threads.
[[gnu::noinline]] void set_errno(int v) {
  errno = v;
  asm volatile("" ::: "memory");
}
[[gnu::noinline]] int get_errno() {
  asm volatile("" ::: "memory");
  return errno;
}

TEST_P(errno_value, survives_every_kind_of_park) {
  run([] {
    const pirn::chan<int> c(2), unbuffered;
    pirn::mutex m;
    pirn::wait_group others;
    const pirn::chan<void> stop;
    others.go([=] {
      while (pirn::select(pirn::send(unbuffered, 1), pirn::recv(unbuffered), pirn::recv(stop)) != 2) set_errno(9999);
    });
    const std::vector<std::function<void()>> parks = {
        [] { pirn::runtime::gosched(); },
        [] { pirn::sleep_for(20us); },
        [&] { pirn::select(pirn::send(unbuffered, 1), pirn::recv(unbuffered)); },
        [&] {
          c.send(1);
          c.recv();
        },
        [&] {
          std::scoped_lock hold(m);
          pirn::runtime::gosched();
        },
        [] { pirn::spawn([] { set_errno(8888); }).get(); },
        [] { pirn::after(20us).recv(); },
        [] {
          pirn::wait_group wg;
          wg.go([] { set_errno(7777); });
          wg.wait();
        },
    };
    pirn::wait_group wg;
    for (int i = 0; i < 40; ++i) {
      wg.go([&, i] {
        for (int round = 0; round < 20; ++round) {
          const std::size_t kind = static_cast<std::size_t>(i + round) % parks.size();
          set_errno(1000 + i);
          parks[kind]();
          ASSERT_EQ(get_errno(), 1000 + i) << "park of kind " << kind;
        }
      });
    }
    wg.wait();
    stop.close();
    others.wait();
  });
}

TEST_P(errno_value, set_by_a_blocking_call_is_seen_after_it) {
  run([] {
    pirn::wait_group wg;
    for (int i = 0; i < 10; ++i) {
      wg.go([i] {
        for (int round = 0; round < 20; ++round) {
          pirn::runtime::blocking([i] { set_errno(2000 + i); });
          ASSERT_EQ(get_errno(), 2000 + i);
          pirn::runtime::gosched();
          ASSERT_EQ(get_errno(), 2000 + i);
        }
      });
    }
    wg.wait();
  });
}

TEST_P(errno_value, is_untouched_by_operations_that_do_not_park) {
  run([] {
    set_errno(3);
    const pirn::chan<int> c(1);
    c.send(1);
    c.recv();
    c.try_recv();
    pirn::mutex m;
    m.lock();
    m.unlock();
    pirn::go([] {});
    pirn::timer t(24h);
    t.stop();
    EXPECT_EQ(get_errno(), 3);
  });
}

TEST_P(errno_value, is_kept_on_a_plain_thread_that_waits) {
  run([] {
    const pirn::chan<int> c;
    std::thread t([c] {
      set_errno(4);
      c.recv();
      EXPECT_EQ(get_errno(), 4);
      c.send(2);
      EXPECT_EQ(get_errno(), 4);
    });
    c.send(1);
    c.recv();
    join(t);
  });
}

TEST(errno_around_a_run, is_not_disturbed_for_goroutines_to_come) {
  run_on(1, [] {
    set_errno(5);
    EXPECT_EQ(pirn::spawn([] { return get_errno(); }).get(), 0) << "a goroutine starts with errno 0, as a thread does";
    EXPECT_EQ(get_errno(), 5);
  });
}

// The rounding mode is part of what a function call keeps, so a park keeps it, and others do not see it.
TEST_P(errno_value, and_the_rounding_mode_survive_parks) {
  run([] {
    pirn::wait_group wg;
    const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    for (int i = 0; i < 20; ++i) {
      wg.go([&, i] {
        EXPECT_EQ(fegetround(), FE_TONEAREST) << "a goroutine starts with the default mode";
        fesetround(modes[i % 4]);
        for (int round = 0; round < 10; ++round) {
          pirn::runtime::gosched();
          ASSERT_EQ(fegetround(), modes[i % 4]);
        }
        pirn::sleep_for(10us);
        ASSERT_EQ(fegetround(), modes[i % 4]);
      });
    }
    wg.wait();
    EXPECT_EQ(fegetround(), FE_TONEAREST);
  });
}

}  // namespace
