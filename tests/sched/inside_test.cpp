// Inside the runtime nobody waits for malloc: a goroutine that is stopped outside may hold its locks.
// Layer: tests of src/sched, white-box: every allocation and every free of this program asks where its thread is.
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "sched/worker.h"
#include "support/support.h"

extern "C" {
// glibc's own, under the names by which it lets itself be replaced.
void* __libc_malloc(std::size_t bytes);                       // NOLINT
void* __libc_calloc(std::size_t count, std::size_t bytes);    // NOLINT
void* __libc_realloc(void* p, std::size_t bytes);             // NOLINT
void* __libc_memalign(std::size_t align, std::size_t bytes);  // NOLINT
void __libc_free(void* p);                                    // NOLINT
}

namespace {

std::atomic<bool> armed{false};

void look_around(const char* what) noexcept {
  if (!armed.load(std::memory_order_relaxed)) return;
  const pirn::rt::worker* w = pirn::rt::this_worker();
  if (w == nullptr || w->inside.load(std::memory_order_relaxed) == 0) return;
  (void)!write(STDERR_FILENO, what, std::strlen(what));
  (void)!write(STDERR_FILENO, " inside the runtime\n", 20);
  std::abort();
}

}  // namespace

extern "C" {
void* malloc(std::size_t bytes) {
  look_around("malloc");
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  look_around("calloc");
  return __libc_calloc(count, bytes);
}
void* realloc(void* p, std::size_t bytes) {
  look_around("realloc");
  return __libc_realloc(p, bytes);
}
void* memalign(std::size_t align, std::size_t bytes) {
  look_around("memalign");
  return __libc_memalign(align, bytes);
}
void* aligned_alloc(std::size_t align, std::size_t bytes) {
  look_around("aligned_alloc");
  return __libc_memalign(align, bytes);
}
int posix_memalign(void** out, std::size_t align, std::size_t bytes) {
  look_around("posix_memalign");
  *out = __libc_memalign(align, bytes);
  return *out == nullptr ? ENOMEM : 0;
}
void free(void* p) {
  if (p != nullptr) look_around("free");
  __libc_free(p);
}
}

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class inside : public on_procs {
 protected:
  // Armed only while the main goroutine runs: before and after it the runtime sets itself up and cleans up.
  template <class F>
  void run_armed(F f) {
    run([&] {
      armed = true;
      f();
      expect_no_other_goroutine();
      armed = false;
    });
  }
};
PIRN_TEST_ON_PROCS(inside);

const std::string k_long = "longer than what a string holds without allocating";

TEST_P(inside, binding_to_threads_and_blocking_allocate_nothing) {
  run_armed([] {
    for (int i = 0; i < 20; ++i) {
      pirn::spawn([] {
        pirn::runtime::os_thread_lock here;
        pirn::runtime::gosched();
      }).get();
      pirn::spawn([] { pirn::runtime::blocking([] { pirn::runtime::gosched(); }); }).get();
    }
    pirn::spawn([] { pirn::runtime::lock_os_thread(); }).get();
  });
}

TEST_P(inside, named_goroutines_end_without_a_free) {
  run_armed([] {
    pirn::wait_group wg;
    for (int i = 0; i < 100; ++i) {
      wg.add(1);
      pirn::go(pirn::spawn_options{k_long, 0}, [&wg] { wg.done(); });
    }
    wg.wait();
  });
}

TEST_P(inside, new_stacks_and_threads_come_without_malloc) {
  run_armed([] {
    pirn::chan<void> all;
    pirn::wait_group wg;
    for (int i = 0; i < scaled(2000); ++i) wg.go([=] { all.recv(); });
    for (const std::size_t bytes : {10'000U, 50'000U, 500'000U, 5'000'000U}) {
      wg.add(1);
      pirn::go(pirn::spawn_options{"", bytes}, [&wg, all] {
        all.recv();
        wg.done();
      });
    }
    let_others_run();
    all.close();
    wg.wait();
    pirn::wait_group blocked;
    for (int i = 0; i < 20; ++i) {
      blocked.go([] { pirn::runtime::blocking([] { usleep(1000); }); });
    }
    blocked.wait();
  });
}

TEST_P(inside, gomaxprocs_grows_outside) {
  run_armed([] {
    const int before = pirn::runtime::gomaxprocs(GetParam() + 3);
    pirn::spawn([] {}).get();
    pirn::runtime::gomaxprocs(before);
  });
}

TEST_P(inside, timers_are_freed_outside) {
  run_armed([] {
    for (int i = 0; i < 300; ++i) {
      auto keep = pirn::after(1us);
      { auto drop = pirn::after(10us); }
      pirn::timer stopped(1h);
      stopped.stop();
      pirn::timer moved(1h);
      moved.reset(1us);
      auto f = pirn::after_func(1us, [] {});
      keep.recv();
    }
    pirn::mutex m;
    pirn::condition_variable cv;
    for (int i = 0; i < 50; ++i) {
      std::unique_lock lock(m);
      cv.wait_for(lock, 10us);
    }
  });
}

TEST_P(inside, values_that_own_memory_pass_through_channels) {
  run_armed([] {
    const pirn::chan<std::string> buffered(4), unbuffered;
    auto sender = pirn::spawn([=] {
      for (int i = 0; i < 200; ++i) {
        buffered.send(k_long);
        unbuffered.send(k_long);
        pirn::select(pirn::send(buffered, k_long), pirn::send(unbuffered, k_long));
      }
      buffered.close();
      unbuffered.close();
    });
    int got = 0;
    bool open = true;
    while (open) {
      std::optional<std::string> v;
      pirn::select(pirn::recv(buffered, v), pirn::recv(unbuffered, v));
      open = v.has_value();
      if (open) {
        EXPECT_EQ(*v, k_long);
      }
      got += open ? 1 : 0;
      if (auto more = buffered.try_recv(); more.status == pirn::chan_status::ok) ++got;
    }
    while (buffered.recv()) ++got;
    while (unbuffered.recv()) ++got;
    sender.get();
    EXPECT_EQ(got, 600);
  });
}

TEST_P(inside, errors_are_thrown_outside) {
  run_armed([] {
    pirn::chan<int> c(1);
    c.close();
    EXPECT_THROW(c.send(1), pirn::channel_error);
    EXPECT_THROW(c.try_send(1), pirn::channel_error);
    EXPECT_THROW(c.close(), pirn::channel_error);
    EXPECT_THROW(pirn::select(pirn::send(c, 1)), pirn::channel_error);
    EXPECT_THROW(pirn::spawn([] { pirn::runtime::goexit(); }).get(), pirn::goroutine_exited);
    EXPECT_THROW(pirn::go(pirn::spawn_options{k_long, std::size_t{1} << 60}, [] {}), std::system_error);
  });
}

TEST_P(inside, locks_under_contention) {
  run_armed([] {
    pirn::mutex m;
    pirn::shared_mutex rw;
    pirn::semaphore sem(2);
    pirn::wait_group wg;
    for (int i = 0; i < 8; ++i) {
      wg.go([&] {
        for (int k = 0; k < 100; ++k) {
          {
            std::scoped_lock hold(m);
            pirn::runtime::gosched();
          }
          {
            std::scoped_lock hold(rw);
            pirn::runtime::gosched();
          }
          {
            std::shared_lock hold(rw);
            pirn::runtime::gosched();
          }
          sem.acquire(1);
          pirn::runtime::gosched();
          sem.release(1);
        }
      });
    }
    wg.wait();
  });
}

}  // namespace
