// O06: native calls of 50 ms at a hundred a second, in bursts: a thread for each that is under way, and eight workers
// bound to threads that take them from a channel.
#include <pirn/pirn.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/pinned_pool.h"
#include "support/probe.h"
#include "support/thread_watch.h"
#include "support/trial.h"

namespace lab {
namespace {

using namespace std::chrono_literals;

constexpr int k_workers = 8;
constexpr int k_burst = 10;
constexpr auto k_between = 100ms;

void native_call() { std::this_thread::sleep_for(50ms); }

// Calls come in bursts from outside of the runtime, as they would over a network: from a thread of their own.
struct load {
  std::chrono::milliseconds warm_up;
  std::chrono::milliseconds watched;
  int calls = 0;
  std::atomic<int> done{0};

  // Warm up, then watch the threads. Start is given each call. Returns when the last call has been started.
  template <typename Start>
  thread_watch::range come(const Start& start) {
    thread_watch threads;
    thread_watch::range seen{};
    const pirn::chan<void> over;
    std::thread clients([&] {
      bursts(warm_up, start);
      threads.restart();
      bursts(watched, start);
      seen = threads.seen();
      over.close();
    });
    over.recv();
    clients.join();
    return {seen.least - 1, seen.most - 1};  // without the clients'
  }
  void require_done() const { require(done == calls, "a call was lost"); }

 private:
  template <typename Start>
  void bursts(std::chrono::milliseconds time, const Start& start) {
    const auto began = std::chrono::steady_clock::now();
    for (auto next = began; next < began + time; next += k_between) {
      std::this_thread::sleep_until(next);
      for (int i = 0; i < k_burst; ++i) {
        ++calls;
        start([this] {
          native_call();
          ++done;
        });
      }
    }
  }
};

thread_watch::range a_thread_for_each(load& l) {
  pirn::wait_group wg;
  const thread_watch::range seen = l.come([&wg](auto call) { wg.go([call] { pirn::runtime::blocking(call); }); });
  wg.wait();
  return seen;
}

thread_watch::range by_workers(load& l) {
  pinned_pool pool(k_workers, native_call);
  return l.come([&pool](auto call) { pool.submit(call); });
}

// Arguments: POOLED, MS to warm up, MS to watch.
int probe(arguments args) {
  const auto form = int_argument(args, 0) != 0 ? by_workers : a_thread_for_each;
  load l{std::chrono::milliseconds(int_argument(args, 1)), std::chrono::milliseconds(int_argument(args, 2))};
  return pirn::run([&] {
    const thread_watch::range threads = form(l);
    l.require_done();
    emit("gomaxprocs", pirn::runtime::gomaxprocs());
    emit("least_threads", static_cast<double>(threads.least));
    emit("most_threads", static_cast<double>(threads.most));
  });
}

void judge(trial& t) {
  const std::string warm = std::to_string(t.pick(1000, 400));
  const std::string ms = std::to_string(t.pick(4000, 800));
  t.ran(text("bursts of %d calls of 50 ms every %lld ms for %s ms: a goroutine each, and %d pinned workers", k_burst,
             static_cast<long long>(k_between.count()), ms.c_str(), k_workers));
  const readings free = t.probe({"0", warm, ms});
  const readings pool = t.probe({"1", warm, ms});
  t.record({free, std::nullopt}, "free_");
  t.record({pool, std::nullopt}, "pool_");
  const double least = pool.number("least_threads");
  const double most = pool.number("most_threads");
  // The monitor, the thread that makes threads, and one kept for the next call that blocks.
  constexpr int constant = 3;
  const double exactly = k_workers + pool.number("gomaxprocs") + constant;
  t.check(least == exactly && most == exactly, text("by workers: %g to %g threads, of %d + gomaxprocs + %d = %g", least,
                                                    most, k_workers, constant, exactly));
  const double swing = free.number("most_threads") - free.number("least_threads");
  t.check(swing > most - least,
          text("a goroutine each: %g to %g threads", free.number("least_threads"), free.number("most_threads")));
}

const registration entry_o06(entry{
    .id = "O06",
    .title = "Eight pinned workers for slow native calls",
    .seed = k_optimise_document,
    .target = "exactly 8 + gomaxprocs + 3 threads, steady under bursts",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
