// What does giving way cost, with nobody else to run and with one other?
// Layer: bench. What it is for and the same on pirn: bench/pirn/sched.cpp.

#include "bench.h"
#include "fibers.h"

namespace pirn_bench {
namespace {

void gosched_alone(run_state& r) {
  const number n = r.count(400'000, 100);
  const double ns = r.median_ns(7, [n] {
    for (number i = 0; i < n; ++i) boost::this_fiber::yield();
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
    const auto work = [each](yield_count& mine) {
      return [each, &mine] {
        for (number i = 0; i < each; ++i) {
          boost::this_fiber::yield();
          ++mine.value;
          keep(mine.value);
        }
      };
    };
    for (yield_count& mine : yields) mine.value = 0;
    boost::fibers::fiber one = start(work(yields[0]));
    boost::fibers::fiber other = start(work(yields[1]));
    one.join();
    other.join();
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
