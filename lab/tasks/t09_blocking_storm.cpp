// T09: a hundred calls that block at once. Each takes a thread; afterwards the threads go.
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

// Arguments: CALLS, MS of each.
int probe(arguments args) {
  const int calls = int_argument(args, 0);
  const auto each = std::chrono::milliseconds(int_argument(args, 1));
  return pirn::run([=] {
    const auto began = std::chrono::steady_clock::now();
    const auto ms_since_begin = [began] {
      return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
    };
    std::atomic<int> done{0};
    for (int i = 0; i < calls; ++i) {
      pirn::go([&] {
        pirn::runtime::blocking([&] { std::this_thread::sleep_for(each); });
        ++done;
      });
    }
    long most = 0;
    while (done.load() < calls) {
      most = std::max(most, own_status("Threads"));
      pirn::sleep_for(5ms);
    }
    emit("most_threads", static_cast<double>(most));
    emit("all_done_ms", ms_since_begin());
    const long few = pirn::runtime::gomaxprocs() + 3;
    const auto over = std::chrono::steady_clock::now();
    while (own_status("Threads") > few && std::chrono::steady_clock::now() - over < 10s) pirn::sleep_for(5ms);
    const std::chrono::duration<double, std::milli> fall = std::chrono::steady_clock::now() - over;
    emit("fall_ms", fall.count());
    emit("threads_after", static_cast<double>(own_status("Threads")));
    emit("gomaxprocs", pirn::runtime::gomaxprocs());
  });
}

void judge(trial& t) {
  const int calls = t.pick(200, 100);
  const int ms = t.pick(2000, 300);
  t.ran(text("%d x blocking(sleep %d ms), threads counted in /proc", calls, ms));
  const readings r = t.probe({std::to_string(calls), std::to_string(ms)});
  t.measured("most_threads", r.number("most_threads"));
  t.measured("all_done_ms", r.number("all_done_ms"));
  t.measured("fall_ms", r.number("fall_ms"));
  t.measured("threads_after", r.number("threads_after"));
  t.check(r.number("most_threads") >= calls, text("%g threads for %d calls", r.number("most_threads"), calls));
  t.check_at_most("all calls", r.number("all_done_ms"), ms + 500, "ms");
  t.check_at_most("threads afterwards", r.number("threads_after"), r.number("gomaxprocs") + 3, "threads");
  t.check_at_most("until then", r.number("fall_ms"), 2000, "ms");
}

const registration entry_t09(entry{
    .id = "T09",
    .title = "A storm of blocking calls",
    .seed = k_tasks_document,
    .target = "all calls at once, a thread each; back to gomaxprocs + 3 threads within 2 s",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
