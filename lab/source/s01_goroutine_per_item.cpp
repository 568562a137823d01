// S01: a goroutine for each cheap item, and one worker per P over contiguous chunks.
#include <pirn/pirn.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "support/forms.h"

namespace lab {
namespace {

using column = std::vector<std::uint64_t>;

// About 200 ns of work at 200 steps: each needs the one before.
std::uint64_t transform(std::uint64_t item, int steps) {
  std::uint64_t x = item;
  for (int i = 0; i < steps; ++i) x = x * 6364136223846793005U + 1442695040888963407U;
  return x;
}

void per_item(const column& items, column& out, int steps) {
  pirn::wait_group wg;
  for (std::size_t i = 0; i < items.size(); ++i) {
    wg.add(1);
    pirn::go([&, i, item = items[i]] {
      out[i] = transform(item, steps);
      wg.done();
    });
  }
  wg.wait();
}

void chunked(const column& items, column& out, int steps) {
  const auto workers = static_cast<std::size_t>(pirn::runtime::gomaxprocs());
  const std::size_t chunk = (items.size() + workers - 1) / workers;
  pirn::wait_group wg;
  for (std::size_t low = 0; low < items.size(); low += chunk) {
    const std::size_t high = std::min(low + chunk, items.size());
    wg.go([&, low, high] {
      for (std::size_t i = low; i < high; ++i) out[i] = transform(items[i], steps);
    });
  }
  wg.wait();
}

void serial(const column& items, column& out, int steps) {
  for (std::size_t i = 0; i < items.size(); ++i) out[i] = transform(items[i], steps);
}

int probe(arguments args) {
  column items(static_cast<std::size_t>(int_argument(args, 0)));
  std::iota(items.begin(), items.end(), 0);
  const int rounds = int_argument(args, 1);
  const int steps = int_argument(args, 2);
  return pirn::run([&] {
    column expected(items.size());
    serial(items, expected, steps);
    column out(items.size());
    const auto measured = [&](const char* name, void (*form)(const column&, column&, int)) {
      return lab::form{name, [&, form] { form(items, out, steps); },
                       [&] {
                         require(out == expected, "wrong results");
                         std::fill(out.begin(), out.end(), 0);
                       }};
    };
    emit("gomaxprocs", pirn::runtime::gomaxprocs());
    measure_in_turns(rounds, static_cast<double>(items.size()),
                     {measured("per_item_ns", per_item), measured("chunked_ns", chunked), measured("work_ns", serial)});
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  t.ran(text("100 000 items of about 200 ns: a goroutine each, then chunks, in turns, %d fresh programs", repeats));
  const paired both = t.beside(repeats, {"100000", std::to_string(t.pick(7, 5)), "200"});
  t.record(both);
  const double slow = both.pirn.number("per_item_ns");
  const double good = both.pirn.number("chunked_ns");
  // The document puts a number on the spawn alone (120 ns of CPU an item): ours is what the slow form adds, on all Ps.
  const double spawn_ns = (slow - good) * both.pirn.number("gomaxprocs");
  t.measured("spawn_cpu_ns", spawn_ns);
  judge_forms(t, both, {.slow = "per_item_ns", .improved = "chunked_ns", .ratio = 3},
              {{"the document's spawn", spawn_ns, 120}});
}

const registration entry_s01(entry{
    .id = "S01",
    .title = "Goroutine per cheap item, and chunked workers",
    .seed = k_source_document,
    .target = "chunks >= 3x cheaper, or our slow form at most a third of the document's or Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
