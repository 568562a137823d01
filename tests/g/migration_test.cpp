// Goroutines that go on after a wait on another thread than before, many times over, and look at everything that
// belongs to a thread: nothing of the old one may be left in a register. Meant for the optimiser at its strongest (the
// preset lto), which sees through every call of the library. Layer: tests of src/g and src/sched, white-box.
#include <cxxabi.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include "sched/worker.h"
#include "support/proc.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using pirn::rt::this_worker;

// Fresh every time: the compiler takes these addresses for constant within a function, and is right by its own lights.
[[gnu::noinline]] int* errno_here() {
  int* at = &errno;
  asm volatile("" : "+r"(at));
  return at;
}
[[gnu::noinline]] void* exceptions_here() {
  void* at = abi::__cxa_get_globals();
  asm volatile("" : "+r"(at));
  return at;
}
[[gnu::noinline]] pthread_t thread_here() {
  pthread_t self = pthread_self();
  asm volatile("" : "+r"(self));
  return self;
}

// What the runtime takes for this thread's is this thread's. Not a function of its own on purpose: in the caller, the
// worker of before the wait is at hand for an optimiser that would use it again.
[[gnu::always_inline]] inline void expect_right_thread(const pirn::rt::goroutine* self) {
  const pirn::rt::worker* w = this_worker();
  EXPECT_EQ(w->current, self);
  EXPECT_TRUE(pthread_equal(w->thread, thread_here()));
  EXPECT_EQ(w->errno_at, errno_here());
  EXPECT_EQ(w->eh, exceptions_here());
}

// Waits that ended on another thread. Of the one goroutine that hops.
int moves = 0;

// Waits for a helper that wakes us and then keeps the thread it runs on, most of the time ours: so that somebody else's
// must take us over.
[[gnu::always_inline]] inline void hop() {
  struct meeting {
    pirn::chan<void> woken;
    std::atomic<bool> landed{false};
  };
  const long before = thread_id();
  auto m = std::make_shared<meeting>();
  pirn::go([m] {
    m->woken.send();
    spin_until([&] { return m->landed.load(); });
  });
  m->woken.recv();
  m->landed = true;
  if (thread_id() != before) ++moves;
}

// Calls `step`, which hops, until that moved it to another thread so many times.
template <class F>
void until_moved(int times, F step) {
  moves = 0;
  run_on(2, [&] {
    pirn::spawn([&] {
      while (moves < times) step();
    }).get();
  });
}

constexpr int k_moves = 50;

TEST(migration, finds_the_worker_of_the_new_thread) {
  until_moved(k_moves, [] {
    const pirn::rt::goroutine* self = this_worker()->current;
    expect_right_thread(self);
    hop();
    expect_right_thread(self);
    hop();
    expect_right_thread(self);
  });
}

TEST(migration, brings_errno_along) {
  int n = 0;
  until_moved(k_moves, [&] {
    const int mine = 1000 + n++;
    *errno_here() = mine;
    hop();
    EXPECT_EQ(*errno_here(), mine);
    *errno_here() = -mine;
    hop();
    EXPECT_EQ(*errno_here(), -mine);
  });
}

TEST(migration, keeps_the_exception_being_handled) {
  int n = 0;
  until_moved(k_moves, [&] {
    const std::string text = "exception " + std::to_string(n++);
    try {
      throw std::runtime_error(text);
    } catch (const std::exception& e) {
      hop();
      EXPECT_EQ(e.what(), text);
      try {
        std::rethrow_exception(std::current_exception());
      } catch (const std::exception& again) {
        hop();
        EXPECT_EQ(again.what(), text);
      }
      expect_right_thread(this_worker()->current);
    }
    EXPECT_EQ(std::current_exception(), nullptr);
  });
}

TEST(migration, in_a_destructor_while_unwinding) {
  struct hops_when_destroyed {
    ~hops_when_destroyed() {
      EXPECT_EQ(std::uncaught_exceptions(), 1);
      hop();
      EXPECT_EQ(std::uncaught_exceptions(), 1);
    }
  };
  until_moved(k_moves, [] {
    EXPECT_THROW(
        {
          const hops_when_destroyed h;
          throw 1;
        },
        int);
    EXPECT_EQ(std::uncaught_exceptions(), 0);
  });
}

TEST(migration, of_every_kind_of_wait) {
  until_moved(k_moves, [] {
    const pirn::rt::goroutine* self = this_worker()->current;
    const std::uint64_t id = pirn::runtime::goid();
    pirn::chan<int> c(1);
    pirn::mutex m;
    hop();
    c.send(1);
    EXPECT_EQ(c.recv(), 1);
    expect_right_thread(self);
    pirn::select(pirn::recv(c), pirn::otherwise);
    m.lock();
    hop();
    m.unlock();
    expect_right_thread(self);
    pirn::runtime::gosched();
    expect_right_thread(self);
    pirn::sleep_for(std::chrono::microseconds(1));
    expect_right_thread(self);
    pirn::runtime::blocking([] {});
    expect_right_thread(self);
    EXPECT_EQ(pirn::runtime::goid(), id);
  });
}

}  // namespace
