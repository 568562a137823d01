// What does a condition variable cost, its means of waiting beside mutex and channel?
// Layer: bench. What it is for and the same on pirn: bench/pirn/sync.cpp.

#include <mutex>

#include "bench.h"
#include "fibers.h"

namespace pirn_bench {
namespace {

// Two fibers hand a turn to each other. An op is one turn: take the lock, wait until it is ours, pass it on, signal.
void cond_signal(run_state& r) {
  const number each = r.count(100'000, 100);
  const double ns = r.median_ns(7, [each] {
    boost::fibers::mutex mu;
    boost::fibers::condition_variable changed;
    int turn = 0;
    number turns = 0;
    const auto player = [&, each](int me) {
      return [&, each, me] {
        for (number i = 0; i < each; ++i) {
          std::unique_lock lock(mu);
          while (turn != me) changed.wait(lock);
          turn = 1 - me;
          ++turns;
          changed.notify_one();
        }
      };
    };
    boost::fibers::fiber one = start(player(0));
    boost::fibers::fiber other = start(player(1));
    one.join();
    other.join();
    if (turns != 2 * each) fail("%ld turns", static_cast<long>(turns));
  });
  r.report(ns / static_cast<double>(2 * each));
}

constexpr workload k_workloads[] = {
    {"cond_signal", "ns/op", cond_signal},
};

}  // namespace

std::span<const workload> sync_workloads() { return k_workloads; }

}  // namespace pirn_bench
