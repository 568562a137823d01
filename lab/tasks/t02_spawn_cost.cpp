// T02: what a goroutine costs when 100 000 of them are started and waited for.
#include <pirn/pirn.h>

#include "support/probe.h"
#include "support/trial.h"

namespace lab {
namespace {

double batch_ns_each(int n) {
  pirn::wait_group wg;
  wg.add(n);
  const stopwatch watch;
  for (int i = 0; i < n; ++i) {
    pirn::go([&wg] { wg.done(); });
  }
  wg.wait();
  return watch.ns() / n;
}

// The document's program is the cold figure; the rounds after it find goroutines and stacks to reuse.
int probe(arguments args) {
  const int n = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  return pirn::run([=] {
    emit("cold_ns", batch_ns_each(n));
    emit("warm_ns", median_of(rounds, [n] { return batch_ns_each(n); }));
  });
}

void judge(trial& t) {
  const int repeats = t.pick(7, 3);
  t.ran(text("100 000 goroutines that call done(), %d fresh programs, first batch and later ones", repeats));
  const paired both = t.beside(repeats, {"100000", std::to_string(t.pick(7, 3))});
  t.record(both);
  for (const char* name : {"cold_ns", "warm_ns"}) {
    const double ours = both.pirn.number(name);
    t.check_at_most(std::string(name), ours, 200, "ns each");
    if (!both.go) continue;
    const double theirs = both.go->number(name);
    t.check(ours < theirs, text("%s %.3g against Go's %.3g", name, ours, theirs));
  }
}

const registration entry_t02(entry{
    .id = "T02",
    .title = "Spawn 100 000 goroutines and wait",
    .seed = k_tasks_document,
    .target = "<= 0.2 us each, cold and warm, and faster than Go in the same run",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
