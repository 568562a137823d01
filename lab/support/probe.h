// What the child half of an entry uses: arguments in, measured values out, and a stopwatch.
// Layer: lab/support. Values go to stdout as `name value` lines (see readings.h).
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "support/readings.h"
#include "support/registry.h"

namespace lab {

inline void emit(const char* name, double value) { std::printf("%s %.9g\n", name, value); }
inline void emit(const char* name, const std::string& text) { std::printf("%s %s\n", name, text.c_str()); }

// Throws probe_error when the argument is missing or not a number.
inline int int_argument(arguments args, std::size_t index) {
  if (index >= args.size()) throw probe_error("probe argument " + std::to_string(index + 1) + " is missing");
  try {
    return std::stoi(args[index]);
  } catch (const std::logic_error&) {
    throw probe_error("probe argument '" + args[index] + "' is not a number");
  }
}

// Makes the optimiser take `x` for changed here: what computes it is neither left out nor folded with its neighbours.
template <typename T>
void opaque(T& x) {
  asm volatile("" : "+r"(x));
}

class stopwatch {
 public:
  double ns() const { return std::chrono::duration<double, std::nano>(clock::now() - start_).count(); }
  double ms() const { return ns() / 1e6; }

 private:
  using clock = std::chrono::steady_clock;
  clock::time_point start_ = clock::now();
};

// The median of `rounds` calls of `measure`.
template <typename Measure>
double median_of(int rounds, const Measure& measure) {
  std::vector<double> values(static_cast<std::size_t>(rounds));
  for (double& value : values) value = measure();
  return median(std::move(values));
}

// Ends the probe with `what` on stderr when a program's own result is wrong: a fast wrong answer is no measurement.
inline void require(bool right, const std::string& what) {
  if (!right) throw probe_error(what);
}

}  // namespace lab
