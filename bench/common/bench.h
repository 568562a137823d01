// What every workload uses: counts, the clock, medians, the check, and the samples it hands back.
// Layer: bench; the standard library only, so that pirn and its C++ peer are measured by the same code.
// A workload reports a figure only after its own check held; a failed check ends it with check_failed.
// bench/go/measure.go and bench/tokio/src/measure.rs are the same in Go and Rust: change all or none.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace pirn_bench {

using number = std::int64_t;  // what Go's int is here, so that both sides move the same bytes

class check_failed : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn, gnu::format(printf, 1, 2)]] void fail(const char* format, ...);

struct sample {
  std::string name;
  double value;
  std::string unit;
};

class run_state;

struct workload {
  const char* name;
  const char* unit;
  void (*body)(run_state&);
  bool outside = false;  // the body is not to run inside the runtime under test
};

class run_state {
 public:
  run_state(const workload& w, int procs, bool smoke) : workload_(w), procs_(procs), smoke_(smoke) {}

  int procs() const { return procs_; }
  const std::vector<sample>& samples() const { return samples_; }

  // The full amount of work, or the tiny one under --smoke.
  number count(number full, number tiny) const { return smoke_ ? tiny : full; }

  void report(double value) { samples_.push_back({workload_.name, value, workload_.unit}); }
  void report_part(const char* part, double value, const char* unit) {
    samples_.push_back({std::string(workload_.name) + "." + part, value, unit});
  }

  // Runs the batch twice to warm up, then `batches` times against the clock.
  template <class Batch>
  double median_ns(int batches, Batch batch);

 private:
  const workload& workload_;
  const int procs_;
  const bool smoke_;
  std::vector<sample> samples_;
};

class stopwatch {
 public:
  double ns() const {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start_).count();
  }
  double ms() const { return ns() / 1e6; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// Makes the compiler believe that the value is read and changed here.
template <class T>
void keep(T& value) {
  asm volatile("" : "+m"(value) : : "memory");
}

template <class Batch>
double run_state::median_ns(int batches, Batch batch) {
  batch();
  if (!smoke_) batch();
  std::vector<double> times;
  for (int i = 0; i < (smoke_ ? 1 : batches); ++i) {
    const stopwatch watch;
    batch();
    times.push_back(watch.ns());
  }
  return median(std::move(times));
}

// The families that a program may have, in the order in which tables show them.
std::span<const workload> spawn_workloads();
std::span<const workload> channel_workloads();
std::span<const workload> sched_workloads();
std::span<const workload> mutex_workloads();
std::span<const workload> sync_workloads();
std::span<const workload> select_workloads();
std::span<const workload> timer_workloads();
std::span<const workload> context_workloads();
std::span<const workload> app_workloads();
std::span<const workload> parked_workloads();
std::span<const workload> idle_workloads();

// Each goroutine of a crowd marks its own slot, so that one that never ran, or a wait that came back early, is seen.
inline constexpr number k_slots = 100'000;
extern std::uint8_t slots[k_slots];
void clear_slots(number n);
void require_slots(number n);

// The process that idle_5s watches, where a program has that workload; it does not come back until killed.
int idle_subject(int procs);

// What a program brings to the command line that all share (bench/common/command.cpp).
struct program {
  const char* name;
  std::span<const std::span<const workload>> families;
  void (*inside)(int procs, const std::function<void()>& body);  // runs it in the runtime; what it throws comes out
  int (*subject)(int procs) = nullptr;                           // idle_subject, or nothing
};

int bench_main(const program& p, std::span<char*> arguments);

}  // namespace pirn_bench
