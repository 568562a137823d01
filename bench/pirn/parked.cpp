// What does a goroutine that waits cost in memory, its share of the page tables included?
// Not for: goroutines that went deep before they wait; these park in their first frames. The kernel's own records
// (mappings, the page-table pages' struct pages) are outside the process and not counted.
// Layer: bench. The same in Go: bench/go/parked.go. How many stacks have no guard is known only inside the library.

#include <pirn/pirn.h>

#include <atomic>

#include "bench.h"
#include "os/stack_memory.h"
#include "process.h"

namespace pirn_bench {
namespace {

using namespace std::chrono_literals;

void parked(run_state& r) {
  const number n = r.count(1'000'000, 1000);
  const pirn::chan<number> gate;
  pirn::wait_group wg;
  std::atomic<number> started = 0;
  std::atomic<number> woken = 0;
  const double rss_before = status_kib("VmRSS");
  const double tables_before = status_kib("VmPTE");
  wg.add(static_cast<int>(n));
  for (number i = 0; i < n; ++i) {
    pirn::go([&] {
      ++started;
      if (!gate.recv()) ++woken;
      wg.done();
    });
  }
  while (started < n) pirn::sleep_for(1ms);
  pirn::sleep_for(50ms);  // the last one still has to go from its count to the gate
  const double rss = status_kib("VmRSS") - rss_before;
  const double tables = status_kib("VmPTE") - tables_before;
  gate.close();
  wg.wait();
  if (woken != n) fail("%ld of %ld woke", static_cast<long>(woken), static_cast<long>(n));
  const double each = 1024 / static_cast<double>(n);
  r.report((rss + tables) * each);
  r.report_part("rss", rss * each, "bytes each");
  r.report_part("page_tables", tables * each, "bytes each");
  r.report_part("unguarded", static_cast<double>(pirn::rt::unguarded_stacks()), "stacks");
}

constexpr workload k_workloads[] = {
    {"parked_1m", "bytes each", parked},
};

}  // namespace

std::span<const workload> parked_workloads() { return k_workloads; }

}  // namespace pirn_bench
