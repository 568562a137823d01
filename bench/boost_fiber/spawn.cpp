// What does a fiber cost from start to gone?
// Layer: bench. What it is for and the same on pirn: bench/pirn/spawn.cpp.

#include <vector>

#include "bench.h"
#include "fibers.h"

namespace pirn_bench {
namespace {

using boost::fibers::fiber;

// Boost.Fiber's way to wait for many is to keep and join them.
template <class Mark>
void spawn_all(Mark* marks, number n) {
  std::vector<fiber> crowd;
  crowd.reserve(static_cast<std::size_t>(n));
  for (number i = 0; i < n; ++i) {
    crowd.push_back(start([marks, i] { ++marks[i]; }));
  }
  for (fiber& one : crowd) one.join();
}

double spawn_all_timed(number n) {
  clear_slots(n);
  const stopwatch watch;
  spawn_all(slots, n);
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
    for (number i = 0; i < n; ++i) {
      number result = 0;
      start([i, &result] { result = i; }).join();
      sum += result;
    }
    if (sum != n * (n - 1) / 2) fail("sum of the results is %ld", static_cast<long>(sum));
  });
  r.report(ns / static_cast<double>(n));
}

// One spawner per proc, each with its own crowd.
void spawn_parallel(run_state& r) {
  const number each = r.count(50'000, 500);
  std::vector<std::vector<std::uint8_t>> marks(static_cast<std::size_t>(r.procs()));
  std::vector<double> times;
  for (number round = -r.count(2, 1); round < r.count(7, 1); ++round) {
    for (auto& mine : marks) mine.assign(static_cast<std::size_t>(each), 0);
    const stopwatch watch;
    std::vector<fiber> spawners;
    spawners.reserve(marks.size());
    for (auto& mine : marks) {
      spawners.push_back(start([&mine] { spawn_all(mine.data(), static_cast<number>(mine.size())); }));
    }
    for (fiber& spawner : spawners) spawner.join();
    const double took = watch.ns();
    for (const auto& mine : marks) {
      if (std::count(mine.begin(), mine.end(), 1) != each) fail("a fiber did not run before the wait returned");
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
