// boost-fiber-bench: the workloads of bench/pirn on Boost.Fiber, loop for loop, as far as it has the thing.
// The command line is that of bench/common/command.cpp. Not here: what needs timers, select over several channels, or
// read-write locks, wait groups and semaphores; and idle_5s, as the threads under its schedulers never rest.
// Layer: bench.

#include <array>

#include "bench.h"
#include "fibers.h"

namespace pirn_bench {
namespace {

int main_program(std::span<char*> arguments) {
  const std::array families = {spawn_workloads(),  channel_workloads(), sched_workloads(), mutex_workloads(),
                               sync_workloads(),   select_workloads(),  timer_workloads(), app_workloads(),
                               parked_workloads(), idle_workloads()};
  const int status = bench_main({"boost-fiber-bench", families, run_inside}, arguments);
  stop_threads();
  return status;
}

}  // namespace
}  // namespace pirn_bench

int main(int argc, char** argv) {
  return pirn_bench::main_program(std::span(argv + 1, static_cast<std::size_t>(argc - 1)));
}
