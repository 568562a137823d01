// Layer: lab/support. See quota_service.h.
#include "support/quota_service.h"

#include <pirn/pirn.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "support/forms.h"
#include "support/latencies.h"
#include "support/wide_host.h"

namespace lab {
namespace {

constexpr int k_clients = 4;
constexpr int k_steps = 1000000;  // of a request, about 1 ms
constexpr auto k_think = std::chrono::milliseconds(1);

std::uint64_t handle(std::uint64_t x) {
  for (int i = 0; i < k_steps; ++i) x = x * 6364136223846793005U + 1442695040888963407U;
  return x;
}

// A goroutine for each request.
std::uint64_t ask(std::uint64_t id) {
  const pirn::chan<std::uint64_t> reply(1);
  pirn::go([id, reply] { reply.send(handle(id)); });
  return *reply.recv();
}

}  // namespace

int quota_service_probe(arguments args) {
  const int clients = int_argument(args, 0);
  const double duration_ms = int_argument(args, 1);
  return pirn::run([=] {
    emit("gomaxprocs", pirn::runtime::gomaxprocs());
    emit("num_cpu", pirn::runtime::num_cpu());
    const std::uint64_t expected = handle(7);
    std::vector<latencies> each(static_cast<std::size_t>(clients));
    std::vector<int> requests(static_cast<std::size_t>(clients));
    const stopwatch whole;
    each_worker(clients, [&](int client) {
      const auto own = static_cast<std::size_t>(client);
      while (whole.ms() < duration_ms) {
        const stopwatch watch;
        const std::uint64_t answer = ask(7);
        each[own].add(watch.ns());
        ++requests[own];
        require(answer == expected, "a wrong answer");
        pirn::sleep_for(k_think);
      }
    });
    int total = 0;
    latencies all;
    for (const latencies& one : each) all.add(one);
    for (const int one : requests) total += one;
    emit("requests_per_second", total / (whole.ms() / 1000));
    emit("p50_ms", all.percentile(50) / 1e6);
    emit("p99_ms", all.percentile(99) / 1e6);
  });
}

paired run_in_group(trial& t, const std::string& group, const quota_run& which, int ms) {
  launch how;
  how.control_group = group;
  how.environment = {{"GOMAXPROCS", which.gomaxprocs.empty() ? std::nullopt : std::optional(which.gomaxprocs)}};
  if (which.cpus != 0) how.environment.emplace_back(k_pretended_cpus, std::to_string(which.cpus));
  paired both = t.beside(1, {std::to_string(k_clients), std::to_string(ms)}, how);
  t.record(both, which.name + "_");
  return both;
}

}  // namespace lab
