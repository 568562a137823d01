// What do the other means of waiting for each other cost?
// Not for: how to choose between them; each is used here as it is meant, and they do different things.
// Layer: bench. The same in Go: bench/go/sync.go.

#include <pirn/pirn.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "bench.h"

namespace pirn_bench {
namespace {

// Readers of one lock, one per proc, and nobody who writes while they read.
void rwmutex_read(run_state& r) {
  const number each = r.count(1'000'000, 100);
  struct guarded {
    pirn::shared_mutex mu;
    number value = 0;
  };
  // A cache line each, and the neighbour that is fetched with it.
  struct alignas(128) reader {
    number sum = 0;
  };
  const auto g = std::make_unique<guarded>();
  std::vector<reader> readers(static_cast<std::size_t>(r.procs()));
  const double ns = r.median_ns(7, [each, &g = *g, &readers] {
    g.mu.lock();
    const number value = ++g.value;
    g.mu.unlock();
    pirn::wait_group wg;
    wg.add(static_cast<int>(readers.size()));
    for (reader& mine : readers) {
      mine.sum = 0;
      pirn::go([&wg, &g, &mine, each] {
        for (number i = 0; i < each; ++i) {
          const std::shared_lock hold(g.mu);
          mine.sum += g.value;
          keep(mine.sum);
        }
        wg.done();
      });
    }
    wg.wait();
    for (const reader& one : readers) {
      if (one.sum != each * value) fail("a reader's sum is %ld", static_cast<long>(one.sum));
    }
  });
  r.report(ns / static_cast<double>(each));
}

// A starting gun and a finishing line, again and again: eight wait for the gun, one waits for the eight. Two of each
// in turn, so that one can be set up while the other is in use. An op is one runner's wait and done.
void waitgroup(run_state& r) {
  constexpr int k_crowd = 8;
  const number rounds = r.count(20'000, 20);
  const double ns = r.median_ns(7, [rounds] {
    pirn::wait_group gun[2];
    pirn::wait_group line[2];
    pirn::wait_group everybody;
    struct alignas(128) runner {
      number laps = 0;
    };
    runner runners[k_crowd];
    gun[0].add(1);
    everybody.add(k_crowd);
    for (runner& mine : runners) {
      pirn::go([&, rounds] {
        for (number i = 0; i < rounds; ++i) {
          gun[i % 2].wait();
          ++mine.laps;
          line[i % 2].done();
        }
        everybody.done();
      });
    }
    number early = 0;
    for (number i = 0; i < rounds; ++i) {
      line[i % 2].add(k_crowd);
      gun[(i + 1) % 2].add(1);
      gun[i % 2].done();
      line[i % 2].wait();
      for (const runner& one : runners) early += one.laps != i + 1 ? 1 : 0;
    }
    everybody.wait();
    if (early != 0) fail("%ld laps were not done when the wait returned", static_cast<long>(early));
  });
  r.report(ns / static_cast<double>(k_crowd * rounds));
}

// Two goroutines hand a turn to each other. An op is one turn: take the lock, wait until it is ours, pass it on,
// signal.
void cond_signal(run_state& r) {
  const number each = r.count(100'000, 100);
  const double ns = r.median_ns(7, [each] {
    pirn::mutex mu;
    pirn::condition_variable changed;
    int turn = 0;
    number turns = 0;
    pirn::wait_group wg;
    wg.add(2);
    for (int me = 0; me < 2; ++me) {
      pirn::go([&, me, each] {
        for (number i = 0; i < each; ++i) {
          std::unique_lock lock(mu);
          while (turn != me) changed.wait(lock);
          turn = 1 - me;
          ++turns;
          changed.notify_one();
        }
        wg.done();
      });
    }
    wg.wait();
    if (turns != 2 * each) fail("%ld turns", static_cast<long>(turns));
  });
  r.report(ns / static_cast<double>(2 * each));
}

// Eight goroutines share two permits and give way while they hold one, so that the others have to wait. An op is an
// acquire, a yield and a release.
void semaphore(run_state& r) {
  constexpr int k_crowd = 8;
  constexpr number k_permits = 2;
  const number each = r.count(20'000, 100);
  const double ns = r.median_ns(7, [each] {
    pirn::semaphore permits(k_permits);
    std::atomic<number> holders = 0;
    std::atomic<number> excess = 0;
    pirn::wait_group wg;
    wg.add(k_crowd);
    for (int k = 0; k < k_crowd; ++k) {
      pirn::go([&, each] {
        for (number i = 0; i < each; ++i) {
          permits.acquire();
          if (++holders > k_permits) ++excess;
          pirn::runtime::gosched();
          --holders;
          permits.release();
        }
        wg.done();
      });
    }
    wg.wait();
    if (excess != 0 || holders != 0) fail("%ld times too many held a permit", static_cast<long>(excess));
  });
  r.report(ns / static_cast<double>(k_crowd * each));
}

constexpr workload k_workloads[] = {
    {"rwmutex_read", "ns/op each", rwmutex_read},
    {"waitgroup", "ns/op", waitgroup},
    {"cond_signal", "ns/op", cond_signal},
    {"semaphore", "ns/op", semaphore},
};

}  // namespace

std::span<const workload> sync_workloads() { return k_workloads; }

}  // namespace pirn_bench
