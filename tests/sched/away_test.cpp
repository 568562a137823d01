// Goroutines in calls that block and that nobody announced: the others go on, and they come back.
// Layer: tests of src/sched, through the public headers.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <semaphore>
#include <vector>

#include "support/proc.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class away : public on_procs {};
PIRN_TEST_ON_PROCS(away);

struct a_pipe {
  int end[2];
  a_pipe() { EXPECT_EQ(pipe(end), 0); }
  a_pipe(const a_pipe&) = delete;
  a_pipe& operator=(const a_pipe&) = delete;
  ~a_pipe() {
    close(end[0]);
    close(end[1]);
  }
};

TEST_P(away, others_run_beside_readers_of_silent_pipes) {
  run([] {
    constexpr int k_readers = 6;
    std::vector<a_pipe> pipes(k_readers);
    pirn::chan<int> got;
    for (int i = 0; i < k_readers; ++i) {
      pirn::go([&, i] {
        char c = 0;
        EXPECT_EQ(read(pipes[static_cast<std::size_t>(i)].end[0], &c, 1), 1);
        got.send(c);
      });
    }
    pirn::sleep_for(2ms);
    EXPECT_EQ(pirn::spawn([] { return 1; }).get(), 1);
    int sum = 0;
    for (int i = 0; i < k_readers; ++i) {
      const char c = static_cast<char>(i + 1);
      EXPECT_EQ(write(pipes[static_cast<std::size_t>(i)].end[1], &c, 1), 1);
      sum += got.recv().value();
    }
    EXPECT_EQ(sum, k_readers * (k_readers + 1) / 2);
  });
}

TEST_P(away, waits_for_what_only_another_goroutine_can_give) {
  run([] {
    std::binary_semaphore native(0);
    std::mutex m;
    std::condition_variable cv;
    bool ready = false;
    pirn::wait_group wg;
    for (int i = 0; i < GetParam(); ++i) wg.go([&] { native.acquire(); });
    wg.go([&] {
      std::unique_lock lock(m);
      cv.wait(lock, [&] { return ready; });
    });
    pirn::runtime::gosched();
    pirn::sleep_for(1ms);
    for (int i = 0; i < GetParam(); ++i) {
      native.release();
      pirn::sleep_for(1ms);
    }
    {
      std::scoped_lock lock(m);
      ready = true;
    }
    cv.notify_all();
    wg.wait();
  });
}

// The first thing it does is to take a lock of pirn's: with a P, or spinlocks would be taken by two threads on one P.
TEST_P(away, comes_back_with_a_p) {
  run([] {
    pirn::mutex m;
    pirn::chan<int> c(3);
    long inside = 0;
    pirn::wait_group wg;
    auto drain = pirn::spawn([=] {
      int n = 0;
      while (c.recv()) ++n;
      return n;
    });
    const int rounds = scaled(100);
    for (int i = 0; i < 8; ++i) {
      wg.go([&, i] {
        for (int k = 0; k < rounds; ++k) {
          usleep(static_cast<unsigned>(200 + 100 * i));
          c.send(k);
          std::scoped_lock hold(m);
          ++inside;
        }
      });
    }
    wg.wait();
    c.close();
    EXPECT_EQ(drain.get(), 8 * rounds);
    EXPECT_EQ(inside, 8 * rounds);
  });
}

// Come back, they compute on: then they are stopped until they have a P.
TEST_P(away, computes_after_the_call) {
  run([] {
    std::atomic<bool> stop{false};
    std::atomic<int> computing{0};
    pirn::wait_group wg;
    for (int i = 0; i < GetParam() + 2; ++i) {
      wg.go([&] {
        usleep(3000);
        ++computing;
        while (!stop.load(std::memory_order_relaxed)) {
        }
      });
    }
    while (computing.load() < GetParam() + 2) pirn::sleep_for(1ms);
    for (int i = 0; i < 10; ++i) pirn::sleep_for(1ms);
    stop = true;
    wg.wait();
  });
}

TEST_P(away, a_run_ends_beside_calls_that_have_not) {
  a_pipe p;
  std::atomic<bool> main_is_over{false};
  std::thread later([&] {
    spin_until([&] { return main_is_over.load(); });
    spin_until([] { return pirn::runtime::num_goroutine() <= 3; });  // main has ended, and the run with it
    const char c[3] = {};
    EXPECT_EQ(write(p.end[1], c, 3), 3);
  });
  pirn::config c = with_procs(GetParam());
  c.shutdown_grace = 30s;
  pirn::run(c, [&] {
    for (int i = 0; i < 3; ++i) {
      pirn::go([&] {
        char b = 0;
        EXPECT_EQ(read(p.end[0], &b, 1), 1);
        for (;;) pirn::runtime::gosched();
      });
    }
    for (int i = 0; i < 5; ++i) pirn::sleep_for(1ms);
    main_is_over = true;
  });
  later.join();
}

}  // namespace
