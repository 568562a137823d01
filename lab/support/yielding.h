// The exercises S03 and R02: a loop that yields after each step, and the same loop without.
// Layer: lab/support.
#pragma once

#include <cstdint>

#include "support/forms.h"

namespace lab {

// The loops' result is checked against `expected`. Emits yielding_ns and plain_ns per step.
template <typename Step>
void measure_yielding(int rounds, int steps, std::uint64_t expected, const Step& step) {
  std::uint64_t sum = 0;
  const auto check = [&sum, expected] { require(sum == expected, "a wrong sum"); };
  measure_in_turns(rounds, steps,
                   {{"yielding_ns",
                     [&] {
                       std::uint64_t total = 0;
                       for (int i = 0; i < steps; ++i) {
                         total += step(i);
                         opaque(total);
                         pirn::runtime::gosched();
                       }
                       sum = total;
                     },
                     check},
                    {"plain_ns",
                     [&] {
                       std::uint64_t total = 0;
                       for (int i = 0; i < steps; ++i) {
                         total += step(i);
                         opaque(total);
                       }
                       sum = total;
                     },
                     check}});
}

}  // namespace lab
