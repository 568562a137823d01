// O10: blocking work that comes and goes makes the number of threads follow it; a pool that was warmed up before the
// traffic came does not.
#include <pirn/pirn.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/pinned_pool.h"
#include "support/probe.h"
#include "support/thread_watch.h"
#include "support/trial.h"

namespace lab {
namespace {

using namespace std::chrono_literals;

constexpr int k_workers = 16;
constexpr int k_peak = 200;  // calls at once
constexpr int k_low = 10;
constexpr auto k_call = 10ms;

void native_call() { std::this_thread::sleep_for(k_call); }

// Waves: a peak, then little for a while.
template <typename Start>
int come_in_waves(int waves, const Start& start) {
  int calls = 0;
  for (int wave = 0; wave < waves; ++wave) {
    for (const int burst : {k_peak, k_low, k_low, k_low}) {
      for (int i = 0; i < burst; ++i) start();
      calls += burst;
      pirn::sleep_for(150ms);
    }
  }
  return calls;
}

thread_watch::range unbounded(int waves) {
  std::atomic<int> done{0};
  thread_watch threads;
  pirn::wait_group wg;
  const int calls = come_in_waves(waves, [&] {
    wg.go([&done] {
      pirn::runtime::blocking(native_call);
      ++done;
    });
  });
  wg.wait();
  require(done == calls, "a call was lost");
  return threads.seen();
}

thread_watch::range warm_pool(int waves) {
  std::atomic<int> done{0};
  thread_watch threads;
  int calls = 0;
  {
    // A call that does nothing, so that the threads exist.
    pinned_pool pool(k_workers, [] {});
    threads.restart();
    calls = come_in_waves(waves, [&] {
      pool.submit([&done] {
        native_call();
        ++done;
      });
    });
  }
  require(done == calls, "a call was lost");
  return threads.seen();
}

// Argument: WAVES.
int probe(arguments args) {
  const int waves = int_argument(args, 0);
  return pirn::run([=] {
    const thread_watch::range pool = warm_pool(waves);
    const thread_watch::range free = unbounded(waves);
    emit("pool_least_threads", static_cast<double>(pool.least));
    emit("pool_most_threads", static_cast<double>(pool.most));
    emit("free_least_threads", static_cast<double>(free.least));
    emit("free_most_threads", static_cast<double>(free.most));
  });
}

void judge(trial& t) {
  const int waves = t.pick(6, 2);
  t.ran(text("%d waves of %d blocking calls at once, little in between: unbounded, and a warm pool of %d", waves,
             k_peak, k_workers));
  const readings r = t.probe({std::to_string(waves)});
  t.record({r, std::nullopt});
  const double least = r.number("pool_least_threads");
  const double most = r.number("pool_most_threads");
  t.check(most - least <= 4, text("warm pool: %g to %g threads", least, most));
  const double free_least = r.number("free_least_threads");
  const double free_most = r.number("free_most_threads");
  t.check(free_most - free_least >= k_peak / 2.0, text("unbounded: %g to %g threads", free_least, free_most));
}

const registration entry_o10(entry{
    .id = "O10",
    .title = "A steady number of threads under load that varies",
    .seed = k_optimise_document,
    .target = "threads differ by at most 4 after warm-up; unbounded they swing",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
