// O01: 200 native calls that block, a goroutine each; and the same behind a semaphore, which the threads follow.
#include <pirn/pirn.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/probe.h"
#include "support/thread_watch.h"
#include "support/trial.h"

namespace lab {
namespace {

// Arguments: CALLS MS AT_ONCE. With an AT_ONCE of 0 nothing bounds them.
int probe(arguments args) {
  const int calls = int_argument(args, 0);
  const auto each = std::chrono::milliseconds(int_argument(args, 1));
  const int at_once = int_argument(args, 2);
  return pirn::run([=] {
    std::atomic<int> completed{0};
    pirn::semaphore gate(at_once > 0 ? at_once : calls);
    const thread_watch threads;
    const stopwatch watch;
    pirn::wait_group wg;
    for (int i = 0; i < calls; ++i) {
      wg.go([&] {
        gate.acquire();
        pirn::runtime::blocking([&] { std::this_thread::sleep_for(each); });
        ++completed;
        gate.release();
      });
    }
    wg.wait();
    emit("all_done_ms", watch.ms());
    emit("completed", completed.load());
    emit("most_threads", static_cast<double>(threads.seen().most));
  });
}

void judge(trial& t) {
  constexpr int calls = 200;
  constexpr int at_once = 8;
  const int ms = t.pick(200, 40);
  t.ran(text("%d x blocking(sleep %d ms), all at once and %d at once", calls, ms, at_once));
  const std::string n = std::to_string(calls);
  const paired slow = t.beside(1, {n, std::to_string(ms), "0"});
  const paired improved = t.beside(1, {n, std::to_string(ms), std::to_string(at_once)});
  t.record(slow, "unbounded_");
  t.record(improved, "bounded_");
  t.check(slow.pirn.number("most_threads") >= calls,
          text("unbounded: %g threads for %d calls", slow.pirn.number("most_threads"), calls));
  t.check_at_most("bounded", improved.pirn.number("most_threads"), 20, "threads");
  for (const paired* one : {&slow, &improved}) {
    t.check(one->pirn.number("completed") == calls, text("%g calls completed", one->pirn.number("completed")));
  }
}

const registration entry_o01(entry{
    .id = "O01",
    .title = "Fewer threads under blocking calls",
    .seed = k_optimise_document,
    .target = "200 blocking native calls on at most 20 threads, all of them done",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
