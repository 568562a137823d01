// What does an attempt on a channel cost that cannot be served? Boost.Fiber has no select over several channels.
// Layer: bench. What it is for and the same on pirn: bench/pirn/select.cpp.

#include "bench.h"
#include "fibers.h"

namespace pirn_bench {
namespace {

// A receive from an empty channel and a send to a full one. An op is one attempt.
void select_default(run_state& r) {
  using boost::fibers::channel_op_status;
  const number n = r.count(1'000'000, 100);
  boost::fibers::buffered_channel<number> empty(2);
  boost::fibers::buffered_channel<number> full(2);
  full.push(7);
  const double ns = r.median_ns(7, [n, &empty, &full] {
    number defaults = 0;
    for (number i = 0; i < n; ++i) {
      number v = 0;
      if (empty.try_pop(v) == channel_op_status::empty) ++defaults;
      if (full.try_push(i) == channel_op_status::full) ++defaults;
    }
    if (defaults != 2 * n) fail("%ld defaults", static_cast<long>(defaults));
  });
  number v = 0;
  if (empty.try_pop(v) != channel_op_status::empty || full.value_pop() != 7) fail("a channel changed");
  r.report(ns / static_cast<double>(2 * n));
}

constexpr workload k_workloads[] = {
    {"select_default", "ns/op", select_default},
};

}  // namespace

std::span<const workload> select_workloads() { return k_workloads; }

}  // namespace pirn_bench
