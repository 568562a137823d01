// R07: 200 000 goroutines of about 300 ns each, and the same work by a pool of one worker per P.
#include <pirn/pirn.h>

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

// Both forms count the items that came out right.
int per_item(int n) {
  std::atomic<int> right{0};
  pirn::wait_group wg;
  wg.add(n);
  for (int i = 0; i < n; ++i) {
    pirn::go([&] {
      if (item() == k_sum) right.fetch_add(1, std::memory_order_relaxed);  // ordered by the wait
      wg.done();
    });
  }
  wg.wait();
  return right;
}

int pooled(int n) {
  std::atomic<int> right{0};
  const pirn::chan<int> jobs(k_buffer);
  pirn::wait_group wg;
  for (int w = 0; w < pirn::runtime::gomaxprocs(); ++w) {
    wg.go([jobs, &right] {
      int mine = 0;
      while (jobs.recv()) mine += item() == k_sum ? 1 : 0;
      right.fetch_add(mine, std::memory_order_relaxed);  // ordered by the wait
    });
  }
  for (int i = 0; i < n; ++i) jobs.send(i);
  jobs.close();
  wg.wait();
  return right;
}

int alone(int n) {
  int right = 0;
  for (int i = 0; i < n; ++i) right += item() == k_sum ? 1 : 0;
  return right;
}

int probe(arguments args) {
  const int n = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  return pirn::run([=] {
    const auto done = [=](int (*form)(int)) {
      return [=] { require(form(n) == n, "an item is missing or wrong"); };
    };
    emit("gomaxprocs", pirn::runtime::gomaxprocs());
    measure_in_turns(
        rounds, n, {{"per_item_ns", done(per_item)}, {"pooled_ns", done(pooled)}, {"work_ns", done(alone)}});
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  const int n = t.pick(200000, 50000);
  t.ran(text("%d tiny goroutines, then a pool fed by a channel, in turns, %d fresh programs", n, repeats));
  const paired both = t.beside(repeats, {std::to_string(n), std::to_string(t.pick(5, 3))});
  t.record(both);
  const double per_item_ns = both.pirn.number("per_item_ns");
  const double work_ns = both.pirn.number("work_ns");
  t.measured("per_item_to_pooled", per_item_ns / both.pirn.number("pooled_ns"));
  // The document's complaint is that scheduling dominates the work.
  const double scheduling_ns = per_item_ns * both.pirn.number("gomaxprocs") - work_ns;
  t.measured("scheduling_cpu_ns", scheduling_ns);
  t.check(scheduling_ns < work_ns, text("a goroutine per item adds %.3g ns of CPU to %.3g ns of work: it %s", scheduling_ns,
                                        work_ns, scheduling_ns < work_ns ? "does not dominate" : "dominates"));
  if (!both.go) return;
  t.go("per_item_to_pooled", both.go->number("per_item_ns") / both.go->number("pooled_ns"));
  const double theirs = both.go->number("pooled_ns");
  t.check(per_item_ns < theirs,
          text("a goroutine per item, %.3g ns, against Go's pool, %.3g ns", per_item_ns, theirs));
}

const registration entry_r07(entry{
    .id = "R07",
    .title = "200 000 tiny goroutines, and a bounded pool",
    .seed = k_runtime_document,
    .target = "a goroutine per item adds less than the item's own work, and beats Go's pool in the same run",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
