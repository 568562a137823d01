// What has become ready is found, whatever the Ps do, and while nothing is ready nobody wakes up for it.
// Layer: tests of src/sched/netpoll.cpp and idle.cpp, through the public headers.
#include <dirent.h>
#include <pirn/net.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;
namespace net = pirn::net;

struct two_ends {
  net::conn here;
  net::conn there;
};

two_ends connected() {
  net::listener l = net::listen("tcp", "127.0.0.1:0");
  two_ends e;
  e.here = net::dial("tcp", l.addr());
  e.there = l.accept();
  return e;
}

void echo(net::conn& c) {
  char buffer[64];
  std::error_code ec;
  while (const std::size_t n = c.read(buffer, ec)) c.write(pirn::const_bytes(buffer, n), ec);
}

class netpoll : public on_procs {};
PIRN_TEST_ON_PROCS(netpoll);

// The echo's readiness is found though every P, or all but one, has a goroutine that computes.
TEST_P(netpoll, finds_readiness_beside_goroutines_that_compute) {
  run([] {
    auto [a, b] = connected();
    std::atomic<bool> stop{false};
    pirn::wait_group wg;
    wg.go([&b = b] { echo(b); });
    for (int i = 0; i < pirn::runtime::gomaxprocs(); ++i) {
      wg.go([&] {
        while (!stop.load(std::memory_order_relaxed)) {
        }
      });
    }
    for (int i = 0; i < 5; ++i) {
      a.write("x");
      char buffer[1];
      ASSERT_EQ(a.read(buffer), 1U);
    }
    stop = true;
    a.close();
    wg.wait();
  });
}

// Nobody computes, but there is always something to run: the queue of no P is ever empty.
TEST_P(netpoll, finds_readiness_beside_goroutines_that_never_let_the_queue_run_empty) {
  run([] {
    auto [a, b] = connected();
    std::atomic<bool> stop{false};
    pirn::wait_group wg;
    wg.go([&b = b] { echo(b); });
    for (int i = 0; i < 2 * pirn::runtime::gomaxprocs(); ++i) {
      wg.go([&] {
        while (!stop.load(std::memory_order_relaxed)) pirn::runtime::gosched();
      });
    }
    for (int i = 0; i < scaled(200); ++i) {
      a.write("x");
      char buffer[1];
      ASSERT_EQ(a.read(buffer), 1U);
    }
    stop = true;
    a.close();
    wg.wait();
  });
}

// Timers and readiness in turn: the one that sleeps in the poller keeps the time as well.
TEST_P(netpoll, keeps_the_time_while_it_waits) {
  run([] {
    auto [a, b] = connected();
    pirn::wait_group wg;
    wg.go([&b = b] { echo(b); });
    for (int i = 0; i < scaled(100); ++i) {
      const auto d = std::chrono::microseconds(20 * (i % 10));
      const auto until = pirn::now() + d;
      pirn::sleep_for(d);
      ASSERT_GE(pirn::now(), until);
      a.write("x");
      char buffer[1];
      ASSERT_EQ(a.read(buffer), 1U);
    }
    a.close();
    wg.wait();
  });
}

// Work comes from outside while everybody sleeps, one of them in the poller: goroutines started by a thread, and data.
TEST_P(netpoll, who_sleeps_in_the_poller_is_woken_for_other_work) {
  run([] {
    auto [a, b] = connected();
    pirn::wait_group wg;
    wg.go([&b = b] { echo(b); });
    pirn::chan<int> c;
    std::thread outside([&] {
      for (int i = 0; i < scaled(300); ++i) {
        c.send(i);
        pirn::chan<int> back(1);
        pirn::go([back] { back.send(1); });
        back.recv();
        if (i % 3 == 0) {
          a.write("x");
          char buffer[1];
          a.read(buffer);
        }
      }
      c.close();
    });
    int sum = 0;
    for (const int v : c) sum += v - v + 1;
    EXPECT_EQ(sum, scaled(300));
    join(outside);
    a.close();
    wg.wait();
  });
}

// A goroutine that is bound to its thread parks: its thread cannot keep watch, somebody else must.
TEST_P(netpoll, goroutine_bound_to_its_thread_is_found_ready) {
  run([] {
    auto [a, b] = connected();
    pirn::wait_group wg;
    wg.go([&b = b] {
      const pirn::runtime::os_thread_lock bound;
      echo(b);
    });
    const pirn::runtime::os_thread_lock bound;
    for (int i = 0; i < scaled(200); ++i) {
      a.write("x");
      char buffer[1];
      ASSERT_EQ(a.read(buffer), 1U);
    }
    a.close();
    wg.wait();
  });
}

TEST_P(netpoll, goroutines_in_blocking_calls_are_no_hindrance) {
  run([] {
    auto [a, b] = connected();
    pirn::wait_group wg;
    wg.go([&b = b] { echo(b); });
    for (int i = 0; i < scaled(50); ++i) {
      wg.go([] { pirn::runtime::blocking([] { usleep(200); }); });
      a.write("x");
      char buffer[1];
      pirn::runtime::blocking([&] { ASSERT_EQ(a.read(buffer), 1U); });
    }
    a.close();
    wg.wait();
  });
}

// How often the threads of the process have been put on a CPU.
long times_run() {
  long sum = 0;
  DIR* tasks = opendir("/proc/self/task");
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    std::ifstream stat("/proc/self/task/" + std::string(task->d_name) + "/schedstat");
    long cpu = 0;
    long waited = 0;
    long slices = 0;
    stat >> cpu >> waited >> slices;
    sum += slices;
  }
  closedir(tasks);
  return sum;
}

TEST(netpoll_idle, nobody_is_woken_while_nothing_is_ready) {
  if (under_chaos()) GTEST_SKIP() << "threads give their cores away there";
  run_on(2, [] {
    auto [a, b] = connected();
    pirn::wait_group wg;
    wg.go([&b = b] { echo(b); });
    // Until sysmon sleeps for good, and the threads that nobody needs any more have looked once and slept again.
    pirn::sleep_for(1200ms);
    const long before = times_run();
    pirn::sleep_for(500ms);
    const long woken = times_run() - before;
    EXPECT_LE(woken, 20);  // the end of this very sleep; a wake-up every 10 ms would be 50
    a.close();
    wg.wait();
  });
}

// Another process is to write: that is no deadlock, although every goroutine waits and there is no timer.
TEST(netpoll_idle, waiting_for_another_process_is_no_deadlock) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const pid_t other = fork();
  if (other == 0) {
    usleep(300'000);
    _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
  }
  close(ends[1]);
  run_on(2, [&] {
    net::conn c = net::conn::from_native(ends[0]);
    char buffer[1];
    EXPECT_EQ(c.read(buffer), 1U);
  });
  int status = 0;
  EXPECT_EQ(waitpid(other, &status, 0), other);
}

void nothing(int) {}

// Signals without SA_RESTART end system calls early: nobody may notice.
TEST_P(netpoll, system_calls_that_signals_cut_short_are_made_again) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = nothing;
  sigaction(SIGUSR1, &action, &before);
  run([] {
    auto [a, b] = connected();
    pirn::wait_group wg;
    wg.go([&b = b] { echo(b); });
    std::atomic<bool> stop{false};
    std::thread storm([&] {
      while (!stop.load()) {
        kill(getpid(), SIGUSR1);
        usleep(50);
      }
    });
    for (int i = 0; i < scaled(2000); ++i) {
      a.write("x");
      char buffer[1];
      ASSERT_EQ(a.read(buffer), 1U);
    }
    stop = true;
    join(storm);
    a.close();
    wg.wait();
  });
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_P(netpoll, run_after_run_has_a_poller_of_its_own) {
  for (int i = 0; i < scaled(30); ++i) {
    run([] {
      auto [a, b] = connected();
      auto reader = pirn::spawn([&b = b] {
        char buffer[4];
        return b.read(buffer);
      });
      let_others_run();
      a.write("x");
      EXPECT_EQ(reader.get(), 1U);
    });
  }
}

}  // namespace
