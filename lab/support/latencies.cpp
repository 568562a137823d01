// Layer: lab/support. See latencies.h.
#include "support/latencies.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "support/probe.h"

namespace lab {

double latencies::mean() const {
  require(!all_.empty(), "no latencies");
  return std::accumulate(all_.begin(), all_.end(), 0.0) / static_cast<double>(all_.size());
}

double latencies::percentile(double percent) const {
  require(!all_.empty(), "no latencies");
  std::vector<double> sorted = all_;
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  const auto at = sorted.begin() + std::max<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(rank) - 1, 0);
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

void emit_latencies(const std::string& prefix, const std::vector<latencies>& rounds) {
  const auto emit_median = [&](const char* name, const auto& figure) {
    std::vector<double> values;
    values.reserve(rounds.size());
    for (const latencies& round : rounds) values.push_back(figure(round));
    emit((prefix + name).c_str(), median(values));
  };
  emit_median("mean_ns", [](const latencies& l) { return l.mean(); });
  emit_median("p50_ns", [](const latencies& l) { return l.percentile(50); });
  emit_median("p99_ns", [](const latencies& l) { return l.percentile(99); });
}

}  // namespace lab
