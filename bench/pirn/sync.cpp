// What do the other means of waiting for each other cost?
// Not for: how to choose between them; each is used here as it is meant, and they do different things.
// Layer: bench. The same in Go: bench/go/sync.go.

#include <pirn/pirn.h>

#include "bench.h"

namespace pirn_bench {
namespace {

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

constexpr workload k_workloads[] = {
    {"waitgroup", "ns/op", waitgroup},
};

}  // namespace

std::span<const workload> sync_workloads() { return k_workloads; }

}  // namespace pirn_bench
