// S05: workers report each finished task on a buffered channel that a collector sums; an atomic and shards beside it.
#include <pirn/pirn.h>

#include "support/counters.h"

namespace lab {
namespace {

std::int64_t count_by_collector(const load& l) {
  pirn::chan<std::int64_t> counter(1024);
  pirn::chan<std::int64_t> total;
  pirn::go([counter, total] {
    std::int64_t sum = 0;
    for (const std::int64_t n : counter) sum += n;
    total.send(sum);
  });
  each_worker(l.workers, [&](int) {
    for (int i = 0; i < l.ops; ++i) counter.send(1);
  });
  counter.close();
  return total.recv().value_or(-1);
}

int probe(arguments args) { return counter_probe(args, count_by_collector); }

// The document: 50 to 80 ns for a send on the fast path.
void judge(trial& t) { judge_counters(t, t.pick(500000, 50000), 80); }

const registration entry_s05(entry{
    .id = "S05",
    .title = "Channel-based counter, atomic, shards",
    .seed = k_source_document,
    .target = "shards >= 20x cheaper, or our channel at most a third of the document's or Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
