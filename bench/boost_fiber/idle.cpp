// What does a program cost that has next to nothing to do?
// Layer: bench. What it is for and the same on pirn: bench/pirn/idle.cpp.

#include <atomic>

#include "bench.h"
#include "fibers.h"
#include "process.h"

namespace pirn_bench {
namespace {

using namespace std::chrono_literals;

void one_task_per_ms(run_state& r) {
  const number warm = r.count(200, 2);
  const number n = r.count(3000, 20);
  std::atomic<number> done = 0;
  auto next = std::chrono::steady_clock::now();
  const auto tick_and_start = [&] {
    next += 1ms;
    boost::this_fiber::sleep_until(next);
    start([&] { ++done; }).detach();
  };
  for (number i = 0; i < warm; ++i) tick_and_start();
  const stopwatch watch;
  const double cpu_before = cpu_seconds();
  for (number i = 0; i < n; ++i) tick_and_start();
  while (done < warm + n) boost::this_fiber::yield();
  const double cpu = cpu_seconds() - cpu_before;
  const double wall = watch.ns() / 1e9;
  r.report(100 * cpu / wall);
  r.report_part("rate", static_cast<double>(n) / wall, "tasks/s");
}

constexpr workload k_workloads[] = {
    {"one_task_per_ms", "% of a CPU", one_task_per_ms},
};

}  // namespace

std::span<const workload> idle_workloads() { return k_workloads; }

}  // namespace pirn_bench
