// What does a goroutine cost from go to gone?
// Not for: the cost of a goroutine that does something; these are empty but for one byte, so that the count can be
// checked. The cold figure is dominated by the kernel's page faults and moves with its mood.
// Layer: bench. The same in Go: bench/go/spawn.go.

#include <pirn/pirn.h>

#include <vector>

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

// One spawner per proc, each with its own crowd. A perfect scheduler takes no longer for more spawners on more CPUs.
void spawn_parallel(run_state& r) {
  const number each = r.count(50'000, 500);
  std::vector<std::vector<std::uint8_t>> marks(static_cast<std::size_t>(r.procs()));
  std::vector<double> times;
  for (number round = -r.count(2, 1); round < r.count(7, 1); ++round) {
    for (auto& mine : marks) mine.assign(static_cast<std::size_t>(each), 0);
    const stopwatch watch;
    pirn::wait_group spawners;
    spawners.add(r.procs());
    for (auto& mine : marks) {
      pirn::go([&spawners, &mine] {
        pirn::wait_group wg;
        wg.add(static_cast<int>(mine.size()));
        for (std::uint8_t& mark : mine) {
          pirn::go([&wg, &mark] {
            ++mark;
            wg.done();
          });
        }
        wg.wait();
        spawners.done();
      });
    }
    spawners.wait();
    const double took = watch.ns();
    for (const auto& mine : marks) {
      if (std::count(mine.begin(), mine.end(), 1) != each) fail("a goroutine did not run before the wait returned");
    }
    if (round >= 0) times.push_back(took);
  }
  r.report(median(std::move(times)) / static_cast<double>(each));
}

constexpr workload k_workloads[] = {
    {"spawn_batch", "ns/op", spawn_batch},
    {"spawn_batch_cold", "ns/op", spawn_batch_cold},
    {"spawn_join_one", "ns/op", spawn_join_one},
    {"spawn_parallel", "ns/op each", spawn_parallel},
};

}  // namespace

std::span<const workload> spawn_workloads() { return k_workloads; }

}  // namespace pirn_bench
