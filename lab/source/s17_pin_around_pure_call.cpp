// S17: a thousand callers of a native function without any state, each pinned to its thread for the call, and not.
#include <pirn/pirn.h>

#include <atomic>
#include <cstdint>

#include "support/forms.h"

namespace lab {
namespace {

constexpr int k_callers = 1000;
constexpr int k_calls_between_yields = 8;

struct block {
  std::uint64_t left;
  std::uint64_t right;
};

// The library: not inlined, as if it were another language's. Eight rounds of a toy cipher.
[[gnu::noinline]] void encrypt(block& b) {
  for (std::uint64_t round = 1; round <= 8; ++round) {
    b.left = ((b.left << 8) | (b.left >> 56)) + b.right;
    b.left ^= round * 0x9e3779b97f4a7c15U;
    b.right = ((b.right << 3) | (b.right >> 61)) ^ b.left;
  }
}

std::uint64_t call_all(int calls, bool pinned) {
  std::atomic<std::uint64_t> sum{0};
  each_worker(k_callers, [&](int caller) {
    block b{static_cast<std::uint64_t>(caller), 1};
    for (int i = 0; i < calls; ++i) {
      if (pinned) {
        const pirn::runtime::os_thread_lock pin;
        encrypt(b);
      } else {
        encrypt(b);
      }
      if (i % k_calls_between_yields == 0) pirn::runtime::gosched();
    }
    sum.fetch_add(b.left, std::memory_order_relaxed);  // ordered by the wait
  });
  return sum.load(std::memory_order_relaxed);
}

// Arguments: CALLS of each caller, ROUNDS.
int probe(arguments args) {
  const int calls = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  std::uint64_t expected = 0;
  for (int caller = 0; caller < k_callers; ++caller) {
    block b{static_cast<std::uint64_t>(caller), 1};
    for (int i = 0; i < calls; ++i) encrypt(b);
    expected += b.left;
  }
  return pirn::run([=] {
    const auto right = [=](bool pinned) {
      return [=] { require(call_all(calls, pinned) == expected, "wrong cipher text"); };
    };
    measure_in_turns(rounds, static_cast<double>(k_callers) * calls,
                     {{"pinned_ns", right(true)}, {"free_ns", right(false)}});
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  const int calls = t.pick(200, 80);
  t.ran(text("%d callers, %d calls each of a pure function: pinned for the call and not, in turns, %d fresh programs",
             k_callers, calls, repeats));
  const paired both = t.beside(repeats, {std::to_string(calls), std::to_string(t.pick(11, 5))});
  t.record(both);
  judge_forms(t, both, {.slow = "pinned_ns", .improved = "free_ns", .ratio = 2});
}

const registration entry_s17(entry{
    .id = "S17",
    .title = "Pinned for a native call that needs no thread",
    .seed = k_source_document,
    .target = "1000 callers: without the pin >= 2x cheaper, or our pinned form at most a third of Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
