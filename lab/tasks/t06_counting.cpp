// T06: four goroutines that count, and never call the runtime, at GOMAXPROCS 1, 2 and 4.
#include <pirn/pirn.h>
#include <time.h>

#include <algorithm>
#include <chrono>

#include "support/probe.h"
#include "support/proc_files.h"
#include "support/trial.h"

namespace lab {
namespace {

constexpr int k_counters = 4;

double process_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void count_to(long steps) {
  volatile long n = 0;
  while (n < steps) n = n + 1;
}

// Arguments: GOMAXPROCS, STEPS of each.
int probe(arguments args) {
  const int procs = int_argument(args, 0);
  const int steps = int_argument(args, 1);
  return pirn::run({.gomaxprocs = procs}, [=] {
    const double cpu = process_seconds();
    const auto began = std::chrono::steady_clock::now();
    pirn::wait_group wg;
    for (int i = 0; i < k_counters; ++i) wg.go([steps] { count_to(steps); });
    wg.wait();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    emit("ms", 1000 * took.count());
    emit("cores", (process_seconds() - cpu) / took.count());
  });
}

void judge(trial& t) {
  const int steps = t.pick(200'000'000, 40'000'000);
  const int cores = allowed_cpus();
  t.ran(text("%d goroutines that count to %d each, at GOMAXPROCS 1, 2 and 4 on %d CPUs", k_counters, steps, cores));
  double alone = 0;
  for (const int procs : {1, 2, 4}) {
    const readings r = t.probe({std::to_string(procs), std::to_string(steps)});
    const double ms = r.number("ms");
    t.measured(text("ms_at_%d", procs), ms);
    t.measured(text("cores_at_%d", procs), r.number("cores"));
    if (procs == 1) alone = ms;
    t.check(r.number("cores") <= 1.05 * procs, text("%.2f cores at GOMAXPROCS %d", r.number("cores"), procs));
    const int usable = std::min(procs, cores);
    t.check(alone / ms >= 0.8 * usable, text("%.2f times as fast on %d of %d CPUs", alone / ms, usable, cores));
  }
}

const registration entry_t06(entry{
    .id = "T06",
    .title = "Counting goroutines use the Ps they are given, and no more",
    .seed = k_tasks_document,
    .target = "as many times as fast as there are Ps, up to the CPUs (80 %); never more cores than Ps (5 %)",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
