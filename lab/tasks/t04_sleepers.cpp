// T04: 10 000 sleeping goroutines hold no threads.
#include <pirn/pirn.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "support/probe.h"
#include "support/proc_files.h"
#include "support/trial.h"

namespace lab {
namespace {

using std::chrono::milliseconds;

// Reads Threads: as the document does, half-way or after one second, and again every 100 ms until the sleepers wake.
int probe(arguments args) {
  const int n = int_argument(args, 0);
  const milliseconds nap(int_argument(args, 1));
  return pirn::run([=] {
    std::atomic<int> early{0};
    pirn::wait_group wg;
    const stopwatch watch;
    for (int i = 0; i < n; ++i) {
      wg.go([nap, &early] {
        const stopwatch slept;
        pirn::sleep_for(nap);
        if (slept.ms() < static_cast<double>(nap.count())) ++early;
      });
    }
    pirn::sleep_for(std::min(nap / 2, milliseconds(1000)));
    emit("threads", static_cast<double>(own_status("Threads")));
    emit("asleep", pirn::runtime::num_goroutine() - 1);
    long most = 0;
    while (watch.ms() < static_cast<double>((nap - milliseconds(200)).count())) {
      most = std::max(most, own_status("Threads"));
      pirn::sleep_for(milliseconds(100));
    }
    wg.wait();
    emit("threads_at_most", static_cast<double>(most));
    emit("gomaxprocs", pirn::runtime::gomaxprocs());
    emit("woken_after_ms", watch.ms());
    emit("woken_early", early.load());
  });
}

void judge(trial& t) {
  const int nap_ms = t.pick(30000, 2000);
  t.ran(text("10 000 goroutines that sleep %d ms, reading Threads: meanwhile", nap_ms));
  const readings seen = t.probe({"10000", std::to_string(nap_ms)});
  t.record({seen, t.twin({"10000", "2000"})});
  const double limit = seen.number("gomaxprocs") + 3;
  t.check(seen.number("asleep") == 10000, text("%g goroutines asleep", seen.number("asleep")));
  t.check_at_most("Threads:", seen.number("threads"), limit, "threads");
  t.check_at_most("the most seen", seen.number("threads_at_most"), limit, "threads");
  t.check(seen.number("woken_early") == 0, text("%g woke early", seen.number("woken_early")));
}

const registration entry_t04(entry{
    .id = "T04",
    .title = "Sleeping goroutines hold no threads",
    .seed = k_tasks_document,
    .target = "10 000 asleep on at most gomaxprocs + 3 threads",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
