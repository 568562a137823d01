// pirn-bench: the workloads on pirn. The command line is that of bench/common/command.cpp.
// Layer: bench.

#include <pirn/pirn.h>

#include <array>

#include "bench.h"

namespace pirn_bench {
namespace {

void inside(int procs, const std::function<void()>& body) {
  pirn::config config;
  config.gomaxprocs = procs;
  config.at_exit = pirn::at_exit::wait;  // a goroutine that never ends is a failure too
  pirn::run(config, [&] {
    if (pirn::runtime::gomaxprocs() != procs) fail("gomaxprocs is not %d", procs);
    body();
  });
}

int main_program(std::span<char*> arguments) {
  const std::array families = {spawn_workloads(), channel_workloads(), sched_workloads(), mutex_workloads(),
                               sync_workloads(),  select_workloads(),  timer_workloads(), context_workloads(),
                               app_workloads(),   parked_workloads(),  idle_workloads()};
  return bench_main({"pirn-bench", families, inside, idle_subject}, arguments);
}

}  // namespace
}  // namespace pirn_bench

int main(int argc, char** argv) {
  return pirn_bench::main_program(std::span(argv + 1, static_cast<std::size_t>(argc - 1)));
}
