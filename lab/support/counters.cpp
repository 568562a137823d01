// The counter exercises' common half. Layer: lab/support. See counters.h.
#include "support/counters.h"

#include <atomic>
#include <vector>

namespace lab {
namespace {

// A cache line for each writer: nobody else stores to it, so an add is a load and a store.
class alignas(64) shard {
 public:
  void add_by_owner(std::int64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

}  // namespace

std::int64_t count_by_atomic(const load& l) {
  std::atomic<std::int64_t> counter{0};
  each_worker(l.workers, [&](int) {
    for (int i = 0; i < l.ops; ++i) counter.fetch_add(1, std::memory_order_relaxed);
  });
  return counter;
}

std::int64_t count_by_shards(const load& l) {
  std::vector<shard> shards(static_cast<std::size_t>(l.workers));
  each_worker(l.workers, [&](int worker) {
    shard& mine = shards[static_cast<std::size_t>(worker)];
    for (int i = 0; i < l.ops; ++i) mine.add_by_owner(1);
  });
  std::int64_t total = 0;
  for (const shard& one : shards) total += one.value();
  return total;
}

int counter_probe(arguments args, std::int64_t (*count_by_channel)(const load&)) {
  const load l{int_argument(args, 0), int_argument(args, 1)};
  const int rounds = int_argument(args, 2);
  return pirn::run([&] {
    const double adds = static_cast<double>(l.workers) * l.ops;
    const auto counting = [&](std::int64_t (*count)(const load&)) {
      return [&l, adds, count] { require(static_cast<double>(count(l)) == adds, "a count was lost"); };
    };
    measure_in_turns(rounds, adds,
                     {{"channel_ns", counting(count_by_channel)},
                      {"atomic_ns", counting(count_by_atomic)},
                      {"sharded_ns", counting(count_by_shards)}});
  });
}

void judge_counters(trial& t, int ops, double document_channel_ns) {
  const int repeats = t.pick(3, 1);
  t.ran(text("8 goroutines, %d adds each: channel, atomic, shards, in turns, %d fresh programs", ops, repeats));
  const paired both = t.beside(repeats, {"8", std::to_string(ops), "3"});
  t.record(both);
  const double channel = both.pirn.number("channel_ns");
  t.measured("channel_to_atomic", channel / both.pirn.number("atomic_ns"));
  judge_forms(t, both, {.slow = "channel_ns", .improved = "sharded_ns", .ratio = 20},
              {{"the document's channel", channel, document_channel_ns}});
}

}  // namespace lab
