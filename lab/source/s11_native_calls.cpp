// S11: a native hash of many blocks: a blocking() section for each call, and one for the whole batch.
#include <pirn/pirn.h>

#include <cstdint>
#include <vector>

#include "support/forms.h"

namespace lab {
namespace {

// The library: not inlined, as if it were another language's.
[[gnu::noinline]] std::uint64_t fast_hash(std::uint64_t block) {
  std::uint64_t x = block ^ (block >> 29);
  x *= 0x9e3779b97f4a7c15U;
  return x ^ (x >> 32);
}

[[gnu::noinline]] void fast_hash_batch(const std::vector<std::uint64_t>& blocks, std::vector<std::uint64_t>& out) {
  for (std::size_t i = 0; i < blocks.size(); ++i) out[i] = fast_hash(blocks[i]);
}

// Arguments: BLOCKS ROUNDS.
int probe(arguments args) {
  const auto n = static_cast<std::size_t>(int_argument(args, 0));
  const int rounds = int_argument(args, 1);
  std::vector<std::uint64_t> blocks(n);
  for (std::size_t i = 0; i < n; ++i) blocks[i] = i * 7919;
  std::vector<std::uint64_t> expected(n);
  fast_hash_batch(blocks, expected);
  std::vector<std::uint64_t> out(n);
  const auto check = [&] {
    require(out == expected, "a wrong hash");
    out.assign(n, 0);
  };
  return pirn::run([&] {
    measure_in_turns(rounds, static_cast<double>(n),
                     {{"per_call_ns",
                       [&] {
                         for (std::size_t i = 0; i < n; ++i) {
                           out[i] = pirn::runtime::blocking([&] { return fast_hash(blocks[i]); });
                         }
                       },
                       check},
                      {"per_batch_ns", [&] { pirn::runtime::blocking([&] { fast_hash_batch(blocks, out); }); }, check},
                      {"bare_ns", [&] { fast_hash_batch(blocks, out); }, check}});
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  t.ran(
      text("10 000 native calls: blocking() around each, around all, and none, in turns, %d fresh programs", repeats));
  const paired both = t.beside(repeats, {"10000", std::to_string(t.pick(301, 101))});
  t.record(both);
  const auto overhead = [](const readings& r, const char* form) { return r.number(form) - r.number("bare_ns"); };
  const double each = overhead(both.pirn, "per_call_ns");
  const double batch = overhead(both.pirn, "per_batch_ns");
  t.measured("per_call_overhead_ns", each);
  t.measured("per_batch_overhead_ns", batch);
  if (both.go) t.go("per_call_overhead_ns", overhead(*both.go, "per_call_ns"));
  if (both.go) t.go("per_batch_overhead_ns", overhead(*both.go, "per_batch_ns"));
  t.check(each > 0 && each >= 20 * batch,
          text("overhead of a call %.3g ns, in a batch %.2g ns (less than 0: too little to "
               "be told from the bare call's %.3g ns)",
               each, batch, both.pirn.number("bare_ns")));
}

const registration entry_s11(entry{
    .id = "S11",
    .title = "blocking() for each native call, and for a batch",
    .seed = k_source_document,
    .target = "one for the batch: >= 20x less overhead a call",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
