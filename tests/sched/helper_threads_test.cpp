// A thread that is only to help, for which there is no memory: the run goes on without it, and gets one once there is
// some. The test's own operator new fails on the runtime's threads that have no worker, of which the one that starts
// threads allocates. Layer: tests of src/sched, white-box.
#include <atomic>
#include <cstdlib>
#include <new>

#include "sched/worker.h"
#include "support/child.h"
#include "support/support.h"

namespace {
std::atomic<bool> no_memory{false};
std::atomic<int> refused{0};
}  // namespace

// Workers are aligned; nothing else is allocated by this form here.
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  if (no_memory && pirn::rt::this_worker() == nullptr) {
    ++refused;
    throw std::bad_alloc();
  }
  const auto to = static_cast<std::size_t>(alignment);
  if (void* p = std::aligned_alloc(to, (bytes + to - 1) / to * to)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace {

using namespace pirn_test;

// Both run at once, or this never ends.
void meet_on_two_threads() {
  std::atomic<int> here{0};
  const auto meet = [&here] {
    ++here;
    spin_until([&] { return here == 2; });
  };
  auto other = pirn::spawn(meet);
  meet();
  other.get();
}

PIRN_CHILD(no_memory_for_helpers) {
  auto c = with_procs(2);
  c.shutdown_grace = std::chrono::hours(1);  // a thread that is counted and was never made would be waited for
  return pirn::run(c, [] {
    no_memory = true;
    // Each yield leaves work for another thread, which is asked for again each time.
    pirn::wait_group wg;
    wg.go([] { yield_until([] { return refused >= 10; }); });
    yield_until([] { return refused >= 10; });
    wg.wait();
    no_memory = false;
    meet_on_two_threads();
    return 0;
  });
}

TEST(helper_threads, for_which_there_is_no_memory_are_done_without) {
  if (k_tsan) GTEST_SKIP() << "workers come from elsewhere there";
  const auto result = run_child("no_memory_for_helpers");
  EXPECT_EQ(result.exit_code, 0) << result.describe();
}

}  // namespace
