// S12: a service that takes the host's CPUs for its own under a CPU quota, and one whose default follows the quota. The
// wide host is pretended: the affinity mask shows 64 CPUs. The quotas are real.
#include <pirn/pirn.h>

#include <algorithm>

#include "support/cpu_quota.h"
#include "support/proc_files.h"
#include "support/quota_service.h"

namespace lab {
namespace {

constexpr int k_host_cpus = 64;

// What a runtime takes that sees the host's CPUs only.
const std::string k_blind = std::to_string(k_host_cpus);

struct both_forms {
  readings blind;
  readings following;
};

both_forms run_both(trial& t, const cpu_quota& group, double quota, int ms) {
  group.set(quota);
  const std::string name = text("quota_%g", quota);
  both_forms r{run_in_group(t, group.directory(), {name + "_64", k_blind, k_host_cpus}, ms).pirn,
               run_in_group(t, group.directory(), {name + "_default", "", k_host_cpus}, ms).pirn};
  t.check(r.following.number("num_cpu") == k_host_cpus, text("num_cpu %g", r.following.number("num_cpu")));
  return r;
}

void judge(trial& t) {
  const std::unique_ptr<cpu_quota> group = quota_or_skip(t);
  if (!group) return;
  const int ms = t.pick(2000, 500);
  t.ran(text("on a pretended host of %d CPUs, quotas of 2.5 and 1 CPU: gomaxprocs %d and the default, %d ms each",
             k_host_cpus, k_host_cpus, ms));
  const both_forms wide = run_both(t, *group, 2.5, ms);
  t.check(wide.following.number("gomaxprocs") == 3,
          text("a quota of 2.5: gomaxprocs %g by default", wide.following.number("gomaxprocs")));
  const both_forms one = run_both(t, *group, 1, ms);
  t.check(one.following.number("gomaxprocs") == 1,
          text("a quota of 1: gomaxprocs %g by default", one.following.number("gomaxprocs")));
  // The latencies are this machine's: a quota can only throttle where there are more CPUs than it allows.
  const auto check_p99 = [&t](const both_forms& r, const char* what) {
    const double blind = r.blind.number("p99_ms");
    const double following = r.following.number("p99_ms");
    t.check(blind >= 5 * following,
            text("%s: p99 %.3g ms with 64, %.3g ms by default: %.1fx", what, blind, following, blind / following));
  };
  check_p99(one, "a quota of 1");
  if (allowed_cpus() > 3) check_p99(wide, "a quota of 2.5");
}

const registration entry_s12(entry{
    .id = "S12",
    .title = "The default GOMAXPROCS under a CPU quota",
    .seed = k_source_document,
    .target =
        "2.5 CPUs on a pretended host of 64: 3 Ps by default; under a real quota of 1 p99 >= 5x lower than with 64",
    .judge = judge,
    .probe = quota_service_probe,
});

}  // namespace
}  // namespace lab
