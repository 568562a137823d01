// E09: counting events with a goroutine for each that sends 0 or 1, and with a partial count for each worker.
#include <pirn/pirn.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "support/forms.h"

namespace lab {
namespace {

using events = std::vector<std::uint64_t>;

bool is_interesting(std::uint64_t event) { return ((event * 0x9e3779b97f4a7c15U) >> 62) == 0; }

int count_by_channel(const events& all) {
  const pirn::chan<int> counts;
  for (const std::uint64_t event : all) {
    pirn::go([counts, event] { counts.send(is_interesting(event) ? 1 : 0); });
  }
  int total = 0;
  for (std::size_t i = 0; i < all.size(); ++i) total += counts.recv().value_or(0);
  return total;
}

int count_by_partials(const events& all) {
  const auto workers = static_cast<std::size_t>(pirn::runtime::gomaxprocs());
  const std::size_t chunk = (all.size() + workers - 1) / workers;
  std::vector<int> partials(workers);
  pirn::wait_group wg;
  for (std::size_t w = 0; w < workers; ++w) {
    const std::size_t low = std::min(w * chunk, all.size());
    const std::size_t high = std::min(low + chunk, all.size());
    if (low == high) continue;
    wg.go([&all, &partials, w, low, high] {
      int local = 0;
      for (std::size_t i = low; i < high; ++i) local += is_interesting(all[i]) ? 1 : 0;
      partials[w] = local;
    });
  }
  wg.wait();
  return std::accumulate(partials.begin(), partials.end(), 0);
}

int probe(arguments args) {
  events all(static_cast<std::size_t>(int_argument(args, 0)));
  std::iota(all.begin(), all.end(), 0);
  const int rounds = int_argument(args, 1);
  const auto expected = std::count_if(all.begin(), all.end(), is_interesting);
  return pirn::run([&] {
    const auto counted = [&](int (*form)(const events&)) {
      return [&, form] { require(form(all) == expected, "a wrong count"); };
    };
    measure_in_turns(rounds, static_cast<double>(all.size()),
                     {{"channel_ns", counted(count_by_channel)}, {"partials_ns", counted(count_by_partials)}});
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  t.ran(
      text("100 000 events: a goroutine each that sends its count, and a worker per P with a partial count; in turns, "
           "%d fresh programs",
           repeats));
  const paired both = t.beside(repeats, {"100000", std::to_string(t.pick(7, 3))});
  t.record(both);
  judge_forms(t, both, {.slow = "channel_ns", .improved = "partials_ns", .ratio = 10});
}

const registration entry_e09(entry{
    .id = "E09",
    .title = "A channel as a global counter, and partial counts",
    .seed = k_essay_document,
    .target = "partial counts >= 10x cheaper, or our slow form at most a third of Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
