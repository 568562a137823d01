// What do timers cost to move, to arm and disarm, and how late do sleepers wake, many and alone?
// Not for: timers that fire under load, nor for cancellation from elsewhere. The overshoot holds for an idle machine
// whose virtual CPUs are awake; a halted one adds its own wake-up.
// Layer: bench. The same in Go: bench/go/timers.go.

#include <pirn/pirn.h>

#include "bench.h"

namespace pirn_bench {
namespace {

using namespace std::chrono_literals;

void timer_reset(run_state& r) {
  const number n = r.count(300'000, 100);
  pirn::timer t(1h);
  const double ns = r.median_ns(7, [n, &t] {
    number active = 0;
    for (number i = 0; i < n; ++i) {
      if (t.reset(1h)) ++active;
    }
    if (active != n) fail("%ld of %ld resets found the timer running", static_cast<long>(active), static_cast<long>(n));
  });
  if (!t.stop()) fail("the timer was not running at the end");
  r.report(ns / static_cast<double>(n));
}

void timer_start_stop(run_state& r) {
  const number n = r.count(100'000, 100);
  const double ns = r.median_ns(7, [n] {
    number stopped = 0;
    for (number i = 0; i < n; ++i) {
      pirn::timer t(1h);
      if (t.stop()) ++stopped;
    }
    if (stopped != n) fail("%ld of %ld timers stopped", static_cast<long>(stopped), static_cast<long>(n));
  });
  r.report(ns / static_cast<double>(n));
}

constexpr auto k_many_sleep = 100ms;

double sleep_all(number n) {
  clear_slots(n);
  const stopwatch watch;
  pirn::wait_group wg;
  wg.add(static_cast<int>(n));
  for (number i = 0; i < n; ++i) {
    pirn::go([&wg, i] {
      pirn::sleep_for(k_many_sleep);
      ++slots[i];
      wg.done();
    });
  }
  wg.wait();
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
    pirn::sleep_for(k_asked);
    const double took_us = watch.ns() / 1e3;
    if (took_us < k_asked_us) fail("woke after %.3f us", took_us);
    if (i >= 0) late.push_back(took_us - k_asked_us);
  }
  r.report(median(std::move(late)));
}

constexpr workload k_workloads[] = {
    {"timer_reset", "ns/op", timer_reset},
    {"timer_start_stop", "ns/op", timer_start_stop},
    {"sleep_100k", "ms", sleep_many},
    {"sleep_100k_cold", "ms", sleep_many_cold},
    {"sleep_50us_overshoot", "us", sleep_overshoot},
};

}  // namespace

std::span<const workload> timer_workloads() { return k_workloads; }

}  // namespace pirn_bench
