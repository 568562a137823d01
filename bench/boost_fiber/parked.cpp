// What does a fiber that waits cost in memory, its share of the page tables included?
// Layer: bench. What it is for and the same on pirn: bench/pirn/parked.cpp. These stacks have no guard.

#include <atomic>
#include <vector>

#include "bench.h"
#include "fibers.h"
#include "process.h"

namespace pirn_bench {
namespace {

using namespace std::chrono_literals;

void parked(run_state& r) {
  const number n = r.count(1'000'000, 1000);
  boost::fibers::unbuffered_channel<number> gate;
  std::vector<boost::fibers::fiber> crowd(static_cast<std::size_t>(n));
  std::atomic<number> started = 0;
  std::atomic<number> woken = 0;
  const double rss_before = status_kib("VmRSS");
  const double tables_before = status_kib("VmPTE");
  for (auto& one : crowd) {
    one = start([&] {
      ++started;
      number v = 0;
      if (gate.pop(v) == boost::fibers::channel_op_status::closed) ++woken;
    });
  }
  while (started < n) boost::this_fiber::sleep_for(1ms);
  boost::this_fiber::sleep_for(50ms);  // the last one still has to go from its count to the gate
  const double rss = status_kib("VmRSS") - rss_before;
  const double tables = status_kib("VmPTE") - tables_before;
  gate.close();
  for (auto& one : crowd) one.join();
  if (woken != n) fail("%ld of %ld woke", static_cast<long>(woken), static_cast<long>(n));
  const double each = 1024 / static_cast<double>(n);
  r.report((rss + tables) * each);
  r.report_part("rss", rss * each, "bytes each");
  r.report_part("page_tables", tables * each, "bytes each");
}

constexpr workload k_workloads[] = {
    {"parked_1m", "bytes each", parked},
};

}  // namespace

std::span<const workload> parked_workloads() { return k_workloads; }

}  // namespace pirn_bench
