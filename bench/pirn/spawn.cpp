// What does a goroutine cost from go to gone?
// Not for: the cost of a goroutine that does something; these are empty but for one byte, so that the count can be
// checked. The cold figure is dominated by the kernel's page faults and moves with its mood.
// Layer: bench. The same in Go: bench/go/spawn.go.

#include <pirn/pirn.h>

#include "bench.h"

namespace pirn_bench {
namespace {

void spawn_all(number n) {
  pirn::wait_group wg;
  wg.add(static_cast<int>(n));
  for (number i = 0; i < n; ++i) {
    pirn::go([&wg, i] {
      ++slots[i];
      wg.done();
    });
  }
  wg.wait();
}

double spawn_all_timed(number n) {
  clear_slots(n);
  const stopwatch watch;
  spawn_all(n);
  const double took = watch.ns();
  require_slots(n);
  return took / static_cast<double>(n);
}

void spawn_batch(run_state& r) {
  const number n = r.count(k_slots, 1000);
  for (number round = 0; round < r.count(2, 1); ++round) spawn_all_timed(n);
  std::vector<double> times;
  for (number round = 0; round < r.count(7, 1); ++round) times.push_back(spawn_all_timed(n));
  r.report(median(std::move(times)));
}

void spawn_batch_cold(run_state& r) { r.report(spawn_all_timed(r.count(k_slots, 1000))); }

void spawn_join_one(run_state& r) {
  const number n = r.count(50'000, 100);
  const double ns = r.median_ns(7, [n] {
    number sum = 0;
    for (number i = 0; i < n; ++i) sum += pirn::spawn([i] { return i; }).get();
    if (sum != n * (n - 1) / 2) fail("sum of the results is %ld", static_cast<long>(sum));
  });
  r.report(ns / static_cast<double>(n));
}

constexpr workload k_workloads[] = {
    {"spawn_batch", "ns/op", spawn_batch},
    {"spawn_batch_cold", "ns/op", spawn_batch_cold},
    {"spawn_join_one", "ns/op", spawn_join_one},
};

}  // namespace

std::span<const workload> spawn_workloads() { return k_workloads; }

}  // namespace pirn_bench
