// O09: a counter owned by one goroutine, where every add is a send on an unbuffered channel; an atomic and shards.
#include <pirn/pirn.h>

#include "support/counters.h"

namespace lab {
namespace {

class actor_counter {
 public:
  actor_counter() {
    pirn::go([ops = ops_, total = total_] {
      std::int64_t value = 0;
      for (const std::int64_t n : ops) value += n;
      total.send(value);
    });
  }
  void add(std::int64_t n) { ops_.send(n); }
  std::int64_t finish() {
    ops_.close();
    return total_.recv().value_or(-1);
  }

 private:
  pirn::chan<std::int64_t> ops_;
  pirn::chan<std::int64_t> total_;
};

std::int64_t count_by_actor(const load& l) {
  actor_counter counter;
  each_worker(l.workers, [&](int) {
    for (int i = 0; i < l.ops; ++i) counter.add(1);
  });
  return counter.finish();
}

int probe(arguments args) { return counter_probe(args, count_by_actor); }

// The document: 50 ns per operation through the channel.
void judge(trial& t) { judge_counters(t, t.pick(1000000, 50000), 50); }

const registration entry_o09(entry{
    .id = "O09",
    .title = "Actor counter over a channel, atomic, shards",
    .seed = k_optimise_document,
    .target = "shards >= 20x cheaper, or our channel at most a third of the document's or Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
