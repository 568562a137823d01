// R01: 16 goroutines that compute, under a CPU quota of half the machine: with far more Ps than the quota, and with as
// many as it allows.
#include <pirn/pirn.h>

#include <algorithm>
#include <vector>

#include "support/cpu_quota.h"
#include "support/forms.h"
#include "support/proc_files.h"

namespace lab {
namespace {

constexpr int k_goroutines = 16;
constexpr int k_wrong = 16;

// Argument: STEPS of each goroutine.
int probe(arguments args) {
  const long steps = int_argument(args, 0);
  return pirn::run([=] {
    emit("gomaxprocs", pirn::runtime::gomaxprocs());
    const stopwatch watch;
    each_worker(k_goroutines, [steps](int) {
      long sum = 0;
      for (long j = 0; j < steps; ++j) {
        sum += j;
        opaque(sum);
      }
      require(sum == steps * (steps - 1) / 2, "a wrong sum");
    });
    emit("elapsed_ms", watch.ms());
  });
}

// One run in the group; says how long it was throttled for as well.
readings run_once(const trial& t, const cpu_quota& group, const std::vector<std::string>& args,
                  std::optional<std::string> gomaxprocs) {
  launch how;
  how.control_group = group.directory();
  how.environment = {{"GOMAXPROCS", std::move(gomaxprocs)}};
  const double before = group.throttled_ms();
  readings r = t.probe(args, how);
  r.set("throttled_ms", group.throttled_ms() - before);
  return r;
}

void judge(trial& t) {
  const std::unique_ptr<cpu_quota> group = quota_or_skip(t);
  if (!group) return;
  // The document's host has 16 CPUs; a quota only throttles where there are more than it allows.
  const int cpus = std::min(2, std::max(1, allowed_cpus() / 2));
  group->set(cpus);
  const int repeats = t.pick(3, 1);
  const std::vector<std::string> args{std::to_string(t.pick(150000000, 80000000))};
  t.ran(
      text("%d goroutines that compute, under a real quota of %d CPU%s: gomaxprocs %d and the default, in turns, %d "
           "programs each",
           k_goroutines, cpus, cpus == 1 ? "" : "s", k_wrong, repeats));
  std::vector<readings> wrong;
  std::vector<readings> right;
  for (int i = 0; i < repeats; ++i) {
    wrong.push_back(run_once(t, *group, args, std::to_string(k_wrong)));
    right.push_back(run_once(t, *group, args, std::nullopt));
  }
  const readings slow = medians(wrong);
  const readings good = medians(right);
  t.record({slow, std::nullopt}, "procs_16_");
  t.record({good, std::nullopt}, "default_");
  t.check(good.number("gomaxprocs") == cpus, text("gomaxprocs %g by default", good.number("gomaxprocs")));
  const double throttled = slow.number("throttled_ms");
  const double rest = good.number("throttled_ms");
  t.check(throttled > 0 && throttled >= 10 * rest,
          text("throttled for %.3g ms with %d, %.3g ms by default", throttled, k_wrong, rest));
  // One period of the quota: who burns its share at once ends early by what is left of the last one.
  constexpr double k_period_ms = 100;
  t.check(good.number("elapsed_ms") <= 1.02 * slow.number("elapsed_ms") + k_period_ms,
          text("elapsed %.4g ms, %.4g ms by default", slow.number("elapsed_ms"), good.number("elapsed_ms")));
}

const registration entry_r01(entry{
    .id = "R01",
    .title = "GOMAXPROCS for computing under a CPU quota",
    .seed = k_runtime_document,
    .target = "following the quota: throttled >= 10x less, elapsed not worse",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
