// All locks at once: goroutines and threads take them in turn and within each other, while the number of Ps changes.
// What each guards stays whole, and nobody is forgotten.
// Layer: tests, through the public headers.
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;

class locks : public on_procs {};
PIRN_TEST_ON_PROCS(locks);

struct world {
  pirn::mutex m;
  pirn::condition_variable changed;
  long tokens = 0;
  long taken = 0;
  pirn::shared_mutex rw;
  std::array<long, 4> guarded{};
  pirn::semaphore units{7};
  std::atomic<long> out{0};

  void step(unsigned what, unsigned detail) {
    switch (what % 8) {
      case 0: {
        const std::unique_lock hold(rw);
        for (long& g : guarded) ++g;
        break;
      }
      case 1:
      case 2: {
        const std::shared_lock hold(rw);
        ASSERT_EQ(guarded.front(), guarded.back());
        if (detail % 8 == 0) {
          const std::scoped_lock inner(m);
          ASSERT_EQ(guarded.front(), guarded.back());
        }
        break;
      }
      case 3: {
        const auto n = static_cast<std::ptrdiff_t>(detail % 7 + 1);
        units.acquire(n);
        ASSERT_LE(out.fetch_add(n) + n, 7);
        out.fetch_sub(n);
        units.release(n);
        break;
      }
      case 4: {
        if (!units.try_acquire(2)) break;
        ASSERT_LE(out.fetch_add(2) + 2, 7);
        const std::shared_lock hold(rw);
        out.fetch_sub(2);
        units.release(2);
        break;
      }
      case 5: {
        {
          const std::scoped_lock hold(m);
          ++tokens;
        }
        changed.notify_one();
        break;
      }
      case 6: {
        std::unique_lock lock(m);
        if (changed.wait_for(lock, std::chrono::microseconds(detail % 60), [this] { return tokens > 0; })) {
          --tokens;
          ++taken;
        }
        break;
      }
      default:
        if (rw.try_lock()) {
          for (long& g : guarded) ++g;
          rw.unlock();
        }
    }
  }
};

TEST_P(locks, of_every_kind_work_beside_each_other) {
  run([] {
    world w;
    pirn::wait_group wg;
    std::vector<std::thread> threads;
    const auto live = [&](unsigned id, int steps, bool yields) {
      auto random = random_for(id);
      for (int i = 0; i < steps; ++i) {
        w.step(static_cast<unsigned>(random()), static_cast<unsigned>(random()));
        if (yields && random() % 16 == 0) pirn::runtime::gosched();
      }
    };
    for (unsigned g = 0; g < 12; ++g) {
      wg.go([&, g] { live(g, scaled(2000), true); });
    }
    for (unsigned t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] { live(100 + t, scaled(1000), false); });
    }
    const int procs = pirn::runtime::gomaxprocs();
    for (int i = 0; i < 20; ++i) {
      pirn::runtime::gomaxprocs(i % 4 + 1);
      let_others_run(50);
    }
    pirn::runtime::gomaxprocs(procs);
    wg.wait();
    for (auto& t : threads) join(t);
    EXPECT_EQ(w.guarded.front(), w.guarded.back());
    EXPECT_TRUE(w.units.try_acquire(7));
    EXPECT_TRUE(w.rw.try_lock());
    EXPECT_TRUE(w.m.try_lock());
    EXPECT_GE(w.tokens, 0);
    w.m.unlock();
    w.rw.unlock();
  });
}

}  // namespace
