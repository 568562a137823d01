// How late do sleepers wake, many and alone? Boost.Fiber has no timers of their own.
// Layer: bench. What it is for and the same on pirn: bench/pirn/timers.cpp.

#include <vector>

#include "bench.h"
#include "fibers.h"

namespace pirn_bench {
namespace {

using namespace std::chrono_literals;

constexpr auto k_many_sleep = 100ms;

double sleep_all(number n) {
  clear_slots(n);
  const stopwatch watch;
  std::vector<boost::fibers::fiber> crowd;
  crowd.reserve(static_cast<std::size_t>(n));
  for (number i = 0; i < n; ++i) {
    crowd.push_back(start([i] {
      boost::this_fiber::sleep_for(k_many_sleep);
      ++slots[i];
    }));
  }
  for (auto& one : crowd) one.join();
  const double took = watch.ms();
  require_slots(n);
  if (took < static_cast<double>(k_many_sleep.count())) fail("all woke after %.3f ms", took);
  return took;
}

void sleep_many(run_state& r) {
  const number n = r.count(k_slots, 1000);
  sleep_all(n);
  std::vector<double> times;
  for (number round = 0; round < r.count(5, 1); ++round) times.push_back(sleep_all(n));
  r.report(median(std::move(times)));
}

void sleep_many_cold(run_state& r) { r.report(sleep_all(r.count(k_slots, 1000))); }

void sleep_overshoot(run_state& r) {
  constexpr auto k_asked = 50us;
  constexpr double k_asked_us = k_asked.count();
  const number n = r.count(1000, 10);
  std::vector<double> late;
  for (number i = -n / 10; i < n; ++i) {
    const stopwatch watch;
    boost::this_fiber::sleep_for(k_asked);
    const double took_us = watch.ns() / 1e3;
    if (took_us < k_asked_us) fail("woke after %.3f us", took_us);
    if (i >= 0) late.push_back(took_us - k_asked_us);
  }
  r.report(median(std::move(late)));
}

constexpr workload k_workloads[] = {
    {"sleep_100k", "ms", sleep_many},
    {"sleep_100k_cold", "ms", sleep_many_cold},
    {"sleep_50us_overshoot", "us", sleep_overshoot},
};

}  // namespace

std::span<const workload> timer_workloads() { return k_workloads; }

}  // namespace pirn_bench
