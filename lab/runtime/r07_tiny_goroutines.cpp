// R07: 200 000 goroutines of about 300 ns each, and the same work by a pool of one worker per P.
#include <pirn/pirn.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "support/forms.h"

namespace lab {
namespace {

constexpr int k_steps = 1000;
constexpr std::int64_t k_sum = std::int64_t{k_steps} * (k_steps - 1) / 2;
constexpr int k_buffer = 1000;

// The document's loop, which its compiler does not leave out.
std::int64_t item() {
  std::int64_t sum = 0;
  for (int j = 0; j < k_steps; ++j) {
    sum += j;
    opaque(sum);
  }
  return sum;
}

// Every form counts the items that came out wrong: none, so that the count itself costs nothing.
using tally = std::atomic<int>;

void checked_item(tally& wrong) {
  if (item() != k_sum) wrong.fetch_add(1, std::memory_order_relaxed);  // ordered by the wait
}

void per_item(int n, tally& wrong) {
  pirn::wait_group wg;
  wg.add(n);
  for (int i = 0; i < n; ++i) {
    pirn::go([&] {
      checked_item(wrong);
      wg.done();
    });
  }
  wg.wait();
}

// The document's pool.
void by_channel(int n, tally& wrong) {
  const pirn::chan<int> jobs(k_buffer);
  pirn::wait_group wg;
  for (int w = 0; w < pirn::runtime::gomaxprocs(); ++w) {
    wg.go([jobs, &wrong] {
      while (jobs.recv()) checked_item(wrong);
    });
  }
  for (int i = 0; i < n; ++i) jobs.send(i);
  jobs.close();
  wg.wait();
}

// A pool whose workers take the items in runs.
void by_runs(int n, tally& wrong) {
  constexpr int run = 100;
  std::atomic<int> next{0};
  each_worker(pirn::runtime::gomaxprocs(), [&](int) {
    for (;;) {
      const int low = next.fetch_add(run, std::memory_order_relaxed);  // only divides the items
      if (low >= n) return;
      for (int i = low; i < std::min(low + run, n); ++i) checked_item(wrong);
    }
  });
}

void alone(int n, tally& wrong) {
  for (int i = 0; i < n; ++i) checked_item(wrong);
}

int probe(arguments args) {
  const int n = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  return pirn::run([=] {
    tally wrong{0};
    const auto measured = [&](const char* name, void (*work)(int, tally&)) {
      return form{name, [&wrong, work, n] { work(n, wrong); }, [&wrong] { require(wrong == 0, "a wrong sum"); }};
    };
    measure_in_turns(rounds, n,
                     {measured("per_item_ns", per_item), measured("channel_pool_ns", by_channel),
                      measured("pooled_ns", by_runs), measured("work_ns", alone)});
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  const int n = t.pick(200000, 50000);
  t.ran(text("%d tiny goroutines, a pool fed by a channel, a pool that takes runs; in turns, %d fresh programs", n,
             repeats));
  const paired both = t.beside(repeats, {std::to_string(n), std::to_string(t.pick(5, 3))});
  t.record(both);
  judge_forms(t, both, {.slow = "per_item_ns", .improved = "pooled_ns", .ratio = 1 / 0.7});
  if (!both.go) return;
  const double ours = both.pirn.number("per_item_ns");
  const double theirs = both.go->number("channel_pool_ns");
  t.check(ours < theirs, text("a goroutine per item, %.3g ns, against Go's pool, %.3g ns", ours, theirs));
}

const registration entry_r07(entry{
    .id = "R07",
    .title = "200 000 tiny goroutines, and a bounded pool",
    .seed = k_runtime_document,
    .target = "the pool takes >= 30 % less, or our goroutine per item at most a third of Go's; it beats Go's pool",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
