// What does a lock cost, free and fought over?
// Layer: bench. What it is for and the same on pirn: bench/pirn/mutex.cpp.

#include <memory>
#include <mutex>
#include <vector>

#include "bench.h"
#include "fibers.h"

namespace pirn_bench {
namespace {

struct guarded {
  boost::fibers::mutex mu;
  number counter = 0;

  void increment() {
    const std::lock_guard hold(mu);
    ++counter;
    keep(counter);
  }
};

void mutex_uncontended(run_state& r) {
  const number n = r.count(2'000'000, 100);
  const auto g = std::make_unique<guarded>();
  const double ns = r.median_ns(7, [n, &g = *g] {
    const number before = g.counter;
    for (number i = 0; i < n; ++i) g.increment();
    if (g.counter - before != n) fail("counted %ld", static_cast<long>(g.counter - before));
  });
  r.report(ns / static_cast<double>(n));
}

void mutex_contended(run_state& r) {
  constexpr int k_crowd = 8;
  const number each = r.count(50'000, 100);
  const auto g = std::make_unique<guarded>();
  const double ns = r.median_ns(7, [each, &g = *g] {
    const number before = g.counter;
    std::vector<boost::fibers::fiber> crowd;
    crowd.reserve(k_crowd);
    for (int k = 0; k < k_crowd; ++k) {
      crowd.push_back(start([&g, each] {
        for (number i = 0; i < each; ++i) g.increment();
      }));
    }
    for (auto& one : crowd) one.join();
    if (g.counter - before != k_crowd * each) fail("counted %ld", static_cast<long>(g.counter - before));
  });
  r.report(ns / static_cast<double>(k_crowd * each));
}

constexpr workload k_workloads[] = {
    {"mutex_uncontended", "ns/op", mutex_uncontended},
    {"mutex_contended8", "ns/op", mutex_contended},
};

}  // namespace

std::span<const workload> mutex_workloads() { return k_workloads; }

}  // namespace pirn_bench
