// E04: the essay's example: 100 000 goroutines that sleep 100 ms each, started and waited for.
#include <pirn/pirn.h>

#include <atomic>
#include <chrono>

#include "support/probe.h"
#include "support/trial.h"

namespace lab {
namespace {

double batch_ms(int n) {
  std::atomic<int> finished{0};
  pirn::wait_group wg;
  wg.add(n);
  const stopwatch watch;
  for (int i = 0; i < n; ++i) {
    pirn::go([&wg, &finished, i] {
      pirn::sleep_for(std::chrono::milliseconds(100));
      if (i == 0) finished.store(1, std::memory_order_relaxed);
      wg.done();
    });
  }
  wg.wait();
  const double elapsed = watch.ms();
  require(finished.load() == 1, "the first goroutine never finished");
  require(elapsed >= 100, "a 100 ms sleep ended early");
  return elapsed;
}

int probe(arguments args) {
  const int n = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  return pirn::run([=] {
    emit("cold_ms", batch_ms(n));
    emit("warm_ms", median_of(rounds, [n] { return batch_ms(n); }));
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 3);
  t.ran(text("100 000 goroutines that sleep 100 ms, %d fresh programs, first batch and later ones", repeats));
  const paired both = t.beside(repeats, {"100000", std::to_string(t.pick(5, 3))});
  t.record(both);
  t.check_at_most("warm", both.pirn.number("warm_ms"), 120, "ms");
  t.check_at_most("cold", both.pirn.number("cold_ms"), 260, "ms");
}

const registration entry_e04(entry{
    .id = "E04",
    .title = "100 000 goroutines sleeping 100 ms",
    .seed = k_essay_document,
    .target = "warm <= 120 ms, cold <= 260 ms on 2 cores",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
