// T10: the storm of T09 behind a weighted semaphore of 8: the threads follow the semaphore, not the calls.
#include <pirn/pirn.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "support/probe.h"
#include "support/proc_files.h"
#include "support/trial.h"

namespace lab {
namespace {

using namespace std::chrono_literals;

constexpr int k_at_once = 8;

// Arguments: CALLS, MS of each.
int probe(arguments args) {
  const int calls = int_argument(args, 0);
  const auto each = std::chrono::milliseconds(int_argument(args, 1));
  return pirn::run([=] {
    pirn::semaphore gate(k_at_once);
    pirn::wait_group wg;
    std::atomic<int> done{0};
    for (int i = 0; i < calls; ++i) {
      wg.go([&] {
        gate.acquire(1);
        pirn::runtime::blocking([&] { std::this_thread::sleep_for(each); });
        gate.release(1);
        ++done;
      });
    }
    long most = 0;
    while (done.load() < calls) {
      most = std::max(most, own_status("Threads"));
      pirn::sleep_for(2ms);
    }
    wg.wait();
    emit("most_threads", static_cast<double>(most));
    emit("gomaxprocs", pirn::runtime::gomaxprocs());
  });
}

void judge(trial& t) {
  const int calls = t.pick(100, 100);
  const int ms = t.pick(200, 20);
  t.ran(text("%d x blocking(sleep %d ms), %d at once by a semaphore", calls, ms, k_at_once));
  const readings r = t.probe({std::to_string(calls), std::to_string(ms)});
  t.measured("most_threads", r.number("most_threads"));
  t.check_at_most("at most", r.number("most_threads"), k_at_once + r.number("gomaxprocs") + 4, "threads");
}

const registration entry_t10(entry{
    .id = "T10",
    .title = "A storm of blocking calls behind a semaphore",
    .seed = k_tasks_document,
    .target = "never more than 8 + gomaxprocs + 4 threads",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
