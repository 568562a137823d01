// S03: a hot loop that yields after each item "to be polite", and the loop alone.
#include <pirn/pirn.h>

#include <numeric>
#include <vector>

#include "support/yielding.h"

namespace lab {
namespace {

int probe(arguments args) {
  const int n = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  std::vector<std::uint64_t> items(static_cast<std::size_t>(n));
  std::iota(items.begin(), items.end(), 1);
  const std::uint64_t expected = std::accumulate(items.begin(), items.end(), std::uint64_t{0});
  return pirn::run(
      [&] { measure_yielding(rounds, n, expected, [&items](int i) { return items[static_cast<std::size_t>(i)]; }); });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  t.ran(text("a sum over 1 000 000 items with a yield after each, and without, in turns, %d fresh programs", repeats));
  const paired both = t.beside(repeats, {"1000000", std::to_string(t.pick(7, 3))});
  t.record(both);
  // The document puts 80 to 150 ns on the yield alone.
  const double yield_ns = both.pirn.number("yielding_ns") - both.pirn.number("plain_ns");
  judge_forms(t, both, {.slow = "yielding_ns", .improved = "plain_ns", .ratio = 10},
              {{"the document's yield", yield_ns, 80}});
}

const registration entry_s03(entry{
    .id = "S03",
    .title = "A yield in a hot loop, and none",
    .seed = k_source_document,
    .target = "without it >= 10x cheaper, or our slow form at most a third of the document's or Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
