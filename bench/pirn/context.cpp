// What does it cost to make what can be cancelled, and to cancel it?
// Not for: deadlines that come, nor how soon those who wait go on.
// Layer: bench. The same in Go: bench/go/context.go.

#include <pirn/pirn.h>

#include <atomic>
#include <vector>

#include "bench.h"

namespace pirn_bench {
namespace {

using namespace std::chrono_literals;

// A request's context: one of many below the same root, cancelled when the request is done.
void context_cancel(run_state& r) {
  const number n = r.count(100'000, 100);
  const auto [root, cancel_root] = pirn::with_cancel(pirn::background());
  const double ns = r.median_ns(7, [n, &root = root] {
    number ended = 0;
    for (number i = 0; i < n; ++i) {
      const auto [ctx, cancel] = pirn::with_cancel(root);
      cancel();
      if (ctx.err()) ++ended;
    }
    if (ended != n) fail("%ld of %ld contexts ended", static_cast<long>(ended), static_cast<long>(n));
  });
  if (root.err()) fail("the root has ended");
  r.report(ns / static_cast<double>(n));
}

// The same with a deadline that never comes.
void context_timeout(run_state& r) {
  const number n = r.count(100'000, 100);
  const auto [root, cancel_root] = pirn::with_cancel(pirn::background());
  const double ns = r.median_ns(7, [n, &root = root] {
    number ended = 0;
    for (number i = 0; i < n; ++i) {
      const auto [ctx, cancel] = pirn::with_timeout(root, 1h);
      cancel();
      if (ctx.err()) ++ended;
    }
    if (ended != n) fail("%ld of %ld contexts ended", static_cast<long>(ended), static_cast<long>(n));
  });
  r.report(ns / static_cast<double>(n));
}

// Functions that wait for the end of one context, and run when it comes.
void after_func(run_state& r) {
  constexpr number k_functions = 100;
  const number rounds = r.count(1000, 5);
  const double ns = r.median_ns(7, [rounds] {
    for (number i = 0; i < rounds; ++i) {
      std::atomic<number> ran{0};
      pirn::wait_group wg;
      wg.add(k_functions);
      const auto [ctx, cancel] = pirn::with_cancel(pirn::background());
      for (number f = 0; f < k_functions; ++f) {
        pirn::after_func(ctx, [&ran, &wg] {
          ran.fetch_add(1, std::memory_order_relaxed);
          wg.done();
        });
      }
      cancel();
      wg.wait();
      if (ran != k_functions) fail("%ld functions ran", static_cast<long>(ran));
    }
  });
  r.report(ns / static_cast<double>(rounds * k_functions));
}

constexpr workload k_workloads[] = {
    {"context_cancel", "ns/op", context_cancel},
    {"context_timeout", "ns/op", context_timeout},
    {"after_func", "ns/op", after_func},
};

}  // namespace

std::span<const workload> context_workloads() { return k_workloads; }

}  // namespace pirn_bench
