// S02: workers that bind themselves to a thread for no reason, and workers that do not, on jobs of which a few are much
// longer than the others.
#include <pirn/pirn.h>

#include <atomic>
#include <cstdint>
#include <optional>

#include "support/forms.h"

namespace lab {
namespace {

constexpr int k_workers = 8;
constexpr int k_short = 50;   // steps of a job, about 50 ns
constexpr int k_long = 5000;  // of every 64th

std::uint64_t processed(std::uint64_t job) {
  std::uint64_t x = job;
  const int steps = job % 64 == 0 ? k_long : k_short;
  for (int i = 0; i < steps; ++i) x = x * 6364136223846793005U + 1442695040888963407U;
  return x;
}

std::uint64_t by_workers(std::uint64_t n, bool locked) {
  const pirn::chan<std::uint64_t> jobs;
  std::atomic<std::uint64_t> sum{0};
  pirn::wait_group wg;
  for (int i = 0; i < k_workers; ++i) {
    wg.go([&sum, jobs, locked] {
      std::optional<pirn::runtime::os_thread_lock> pin;
      if (locked) pin.emplace();
      std::uint64_t own = 0;
      for (const std::uint64_t job : jobs) own += processed(job);
      sum.fetch_add(own, std::memory_order_relaxed);  // ordered by the wait
    });
  }
  for (std::uint64_t job = 0; job < n; ++job) jobs.send(job);
  jobs.close();
  wg.wait();
  return sum.load(std::memory_order_relaxed);
}

// Arguments: JOBS ROUNDS.
int probe(arguments args) {
  const auto n = static_cast<std::uint64_t>(int_argument(args, 0));
  const int rounds = int_argument(args, 1);
  std::uint64_t expected = 0;
  for (std::uint64_t job = 0; job < n; ++job) expected += processed(job);
  return pirn::run([=] {
    const auto worked_off = [=](bool locked) {
      return [=] { require(by_workers(n, locked) == expected, "a job was lost"); };
    };
    measure_in_turns(rounds, static_cast<double>(n), {{"locked_ns", worked_off(true)}, {"free_ns", worked_off(false)}});
  });
}

void judge(trial& t) {
  const int repeats = t.pick(3, 1);
  const int n = t.pick(50000, 10000);
  t.ran(
      text("%d jobs, every 64th a hundred times as long, for %d workers: locked to threads and not, in turns, "
           "%d fresh programs",
           n, k_workers, repeats));
  const paired both = t.beside(repeats, {std::to_string(n), "3"});
  t.record(both);
  judge_forms(t, both, {.slow = "locked_ns", .improved = "free_ns", .ratio = 3});
}

const registration entry_s02(entry{
    .id = "S02",
    .title = "Workers locked to threads for no reason",
    .seed = k_source_document,
    .target = "without the lock >= 3x faster on unbalanced jobs, or our slow form at most a third of Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
