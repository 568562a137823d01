// R02: 100 000 000 steps of a loop with a yield in each, and the same workload without.
#include <pirn/pirn.h>

#include "support/yielding.h"

namespace lab {
namespace {

// The sum of the squares below n, as the loop's own arithmetic wraps it.
std::uint64_t sum_of_squares(std::uint64_t n) {
  const unsigned __int128 wide = n;
  return static_cast<std::uint64_t>((wide - 1) * wide * (2 * wide - 1) / 6);
}

int probe(arguments args) {
  const int n = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  return pirn::run([=] {
    measure_yielding(rounds, n, sum_of_squares(static_cast<std::uint64_t>(n)), [](int i) {
      const auto x = static_cast<std::uint64_t>(i);
      return x * x;
    });
  });
}

void judge(trial& t) {
  const int repeats = t.pick(3, 1);
  const int steps = t.pick(100000000, 5000000);
  t.ran(text("%d steps with a yield in each, and without, %d fresh programs", steps, repeats));
  const paired both = t.beside(repeats, {std::to_string(steps), "1"});
  t.record(both);
  const auto yield_ns = [](const readings& r) { return r.number("yielding_ns") - r.number("plain_ns"); };
  t.measured("yield_ns", yield_ns(both.pirn));
  if (both.go) t.go("yield_ns", yield_ns(*both.go));
  // The document: each yield about 300 ns.
  judge_forms(t, both, {.slow = "yielding_ns", .improved = "plain_ns", .ratio = 5},
              {{"the document's yield", yield_ns(both.pirn), 300}});
}

const registration entry_r02(entry{
    .id = "R02",
    .title = "Remove the yield from a hot loop",
    .seed = k_runtime_document,
    .target = "without it >= 5x faster, or our slow form at most a third of the document's or Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
