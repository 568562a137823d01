// O04: a service with GOMAXPROCS hard-coded to 100 in a control group of one CPU, and one that follows the quota. With
// 2, which Go takes for the least, it is throttled as well.
#include <pirn/pirn.h>

#include "support/cpu_quota.h"
#include "support/quota_service.h"

namespace lab {
namespace {

void judge(trial& t) {
  const std::unique_ptr<cpu_quota> group = quota_or_skip(t);
  if (!group) return;
  group->set(1);
  const int ms = t.pick(2000, 400);
  t.ran(text("a service under a real quota of 1 CPU for %d ms each: gomaxprocs 100, 2 and the default", ms));
  const double hard = run_in_group(t, group->directory(), {"procs_100", "100"}, ms).pirn.number("p99_ms");
  const double two = run_in_group(t, group->directory(), {"procs_2", "2"}, ms).pirn.number("p99_ms");
  const readings following = run_in_group(t, group->directory(), {"default", ""}, ms).pirn;
  const double p99 = following.number("p99_ms");
  t.check(following.number("gomaxprocs") == 1, text("gomaxprocs %g by default", following.number("gomaxprocs")));
  t.measured("100_to_default", hard / p99);
  t.measured("2_to_default", two / p99);
  t.check(hard >= 5 * p99,
          text("p99 %.3g ms with 100, %.3g ms with 2, %.3g ms by default: %.1fx", hard, two, p99, hard / p99));
}

const registration entry_o04(entry{
    .id = "O04",
    .title = "GOMAXPROCS hard-coded, and following the CPU quota",
    .seed = k_optimise_document,
    .target = "under a real quota of one CPU p99 >= 5x lower than with 100 Ps",
    .judge = judge,
    .probe = quota_service_probe,
});

}  // namespace
}  // namespace lab
