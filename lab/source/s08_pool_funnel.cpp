// S08: 64 workers that all receive from one channel, and a channel for each, fed in turn.
#include <pirn/pirn.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "support/forms.h"

namespace lab {
namespace {

using job_chan = pirn::chan<std::uint64_t>;

constexpr int k_workers = 64;
constexpr int k_buffer = 1024;      // of the one channel
constexpr int k_own_buffer = 1024;  // of each worker's

std::uint64_t processed(std::uint64_t job) { return (job ^ (job >> 31)) * 0x9e3779b97f4a7c15U; }

// Each worker adds up what it did; the caller compares the sum.
class workers {
 public:
  void start(const job_chan& jobs) {
    wg_.go([this, jobs] {
      std::uint64_t sum = 0;
      for (const std::uint64_t job : jobs) sum += processed(job);
      sum_.fetch_add(sum, std::memory_order_relaxed);  // ordered by the wait
    });
  }
  std::uint64_t finish() {
    wg_.wait();
    return sum_.load(std::memory_order_relaxed);
  }

 private:
  pirn::wait_group wg_;
  std::atomic<std::uint64_t> sum_{0};
};

std::uint64_t by_one_channel(std::uint64_t n) {
  const job_chan jobs(k_buffer);
  workers pool;
  for (int i = 0; i < k_workers; ++i) pool.start(jobs);
  for (std::uint64_t job = 0; job < n; ++job) jobs.send(job);
  jobs.close();
  return pool.finish();
}

std::uint64_t by_own_channels(std::uint64_t n) {
  std::vector<job_chan> jobs;
  workers pool;
  for (int i = 0; i < k_workers; ++i) {
    jobs.emplace_back(k_own_buffer);
    pool.start(jobs.back());
  }
  for (std::uint64_t job = 0; job < n; ++job) jobs[job % k_workers].send(job);
  for (const job_chan& one : jobs) one.close();
  return pool.finish();
}

int probe(arguments args) {
  const auto n = static_cast<std::uint64_t>(int_argument(args, 0));
  const int rounds = int_argument(args, 1);
  std::uint64_t expected = 0;
  for (std::uint64_t job = 0; job < n; ++job) expected += processed(job);
  return pirn::run([=] {
    const auto dispatched = [=](std::uint64_t (*form)(std::uint64_t)) {
      return [=] { require(form(n) == expected, "a job was lost"); };
    };
    measure_in_turns(
        rounds, static_cast<double>(n),
        {{"one_channel_ns", dispatched(by_one_channel)}, {"own_channels_ns", dispatched(by_own_channels)}});
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  const int n = t.pick(500000, 50000);
  t.ran(text("%d jobs for %d workers, on one channel and on one each, in turns, %d fresh programs", n, k_workers,
             repeats));
  const paired both = t.beside(repeats, {std::to_string(n), std::to_string(t.pick(5, 3))});
  t.record(both);
  // The document: at most 1 M jobs a second through one channel.
  judge_forms(t, both, {.slow = "one_channel_ns", .improved = "own_channels_ns", .ratio = 1.5},
              {{"the document's one channel", both.pirn.number("one_channel_ns"), 1000}});
}

const registration entry_s08(entry{
    .id = "S08",
    .title = "64 workers on one channel, and a channel for each",
    .seed = k_source_document,
    .target = "own channels >= 1.5x cheaper, or our slow form at most a third of the document's or Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
