// Latencies of single operations: mean and percentiles. Layer: lab/support.
#pragma once

#include <string>
#include <vector>

namespace lab {

class latencies {
 public:
  void add(double ns) { all_.push_back(ns); }
  void add(const latencies& others) { all_.insert(all_.end(), others.all_.begin(), others.all_.end()); }
  double mean() const;
  // The smallest value that `percent` of all do not exceed.
  double percentile(double percent) const;

 private:
  std::vector<double> all_;
};

// Emits <prefix>mean_ns, p50_ns and p99_ns: the medians of what each round's were.
void emit_latencies(const std::string& prefix, const std::vector<latencies>& rounds);

}  // namespace lab
