// What does giving way cost, with nobody else to run and with one other?
// Not for: the bare cost of a context switch. At two procs the pair may run side by side; the figure is wall time over
// all yields of both.
// Layer: bench. The same in Go: bench/go/sched.go.

#include <pirn/pirn.h>

#include "bench.h"

namespace pirn_bench {
namespace {

void gosched_alone(run_state& r) {
  const number n = r.count(400'000, 100);
  const double ns = r.median_ns(7, [n] {
    for (number i = 0; i < n; ++i) pirn::runtime::gosched();
  });
  r.report(ns / static_cast<double>(n));
}

void gosched_pair(run_state& r) {
  const number each = r.count(200'000, 100);
  // A cache line each, and the neighbour that is fetched with it.
  struct alignas(128) yield_count {
    number value = 0;
  };
  yield_count yields[2];
  const double ns = r.median_ns(7, [each, &yields] {
    pirn::wait_group wg;
    wg.add(2);
    for (yield_count& mine : yields) {
      mine.value = 0;
      pirn::go([&wg, &mine, each] {
        for (number i = 0; i < each; ++i) {
          pirn::runtime::gosched();
          ++mine.value;
          keep(mine.value);
        }
        wg.done();
      });
    }
    wg.wait();
    if (yields[0].value != each || yields[1].value != each) {
      fail("yields: %ld and %ld", static_cast<long>(yields[0].value), static_cast<long>(yields[1].value));
    }
  });
  r.report(ns / static_cast<double>(2 * each));
}

constexpr workload k_workloads[] = {
    {"gosched_alone", "ns/yield", gosched_alone},
    {"gosched_pair", "ns/yield", gosched_pair},
};

}  // namespace

std::span<const workload> sched_workloads() { return k_workloads; }

}  // namespace pirn_bench
