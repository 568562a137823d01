// S14: a producer that sleeps for nothing after each event "to be cooperative", and one that the channel paces.
#include <pirn/pirn.h>

#include <chrono>
#include <cstdint>

#include "support/forms.h"

namespace lab {
namespace {

using events = pirn::chan<std::int64_t>;

constexpr int k_buffer = 1024;

void sleeping_producer(const events& out, const events& source) {
  for (const std::int64_t e : source) {
    out.send(e);
    pirn::sleep_for(std::chrono::seconds(0));
  }
}

void plain_producer(const events& out, const events& source) {
  for (const std::int64_t e : source) out.send(e);
}

// n events from a source through the producer to a consumer, which adds them up.
std::int64_t streamed(int n, void (*produce)(const events&, const events&)) {
  const events source(k_buffer);
  const events out(k_buffer);
  pirn::go([source, n] {
    for (int i = 1; i <= n; ++i) source.send(i);
    source.close();
  });
  pirn::go([source, out, produce] {
    produce(out, source);
    out.close();
  });
  std::int64_t sum = 0;
  for (const std::int64_t e : out) sum += e;
  return sum;
}

int probe(arguments args) {
  const int n = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  return pirn::run([=] {
    const std::int64_t expected = std::int64_t{n} * (n + 1) / 2;
    const auto through = [=](void (*produce)(const events&, const events&)) {
      return [=] { require(streamed(n, produce) == expected, "an event was lost"); };
    };
    measure_in_turns(rounds, n,
                     {{"sleep_0_ns", through(sleeping_producer)},
                      {"channel_paced_ns", through(plain_producer)},
                      {"sleep_0_alone_ns", [n] {
                         for (int i = 0; i < n; ++i) pirn::sleep_for(std::chrono::seconds(0));
                       }}});
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  const int n = t.pick(1000000, 100000);
  t.ran(text("%d events, with sleep_for(0) after each and without, in turns, %d fresh programs", n, repeats));
  const paired both = t.beside(repeats, {std::to_string(n), std::to_string(t.pick(5, 3))});
  t.record(both);
  // The document: the sleep costs what a yield does, 80 to 150 ns.
  judge_forms(t, both, {.slow = "sleep_0_ns", .improved = "channel_paced_ns", .ratio = 10},
              {{"the document's sleep", both.pirn.number("sleep_0_alone_ns"), 80}});
}

const registration entry_s14(entry{
    .id = "S14",
    .title = "Pacing by sleep_for(0), and by the channel",
    .seed = k_source_document,
    .target =
        "without the sleep >= 10x cheaper, or the sleep at most a third of the document's or our slow form of Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
