// T11: a goroutine that is locked to its thread stays on it through yields and wake-ups under load; one that is not
// does not.
#include <pirn/pirn.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "support/probe.h"
#include "support/trial.h"

namespace lab {
namespace {

constexpr int k_rounds = 100;
constexpr int k_load = 200;  // goroutines

// Goroutines that work and yield until it ends.
class load {
 public:
  load() {
    for (int i = 0; i < k_load; ++i) {
      wg_.go([this] {
        while (!stop_.load(std::memory_order_relaxed)) pirn::runtime::gosched();
      });
    }
  }
  ~load() {
    stop_.store(true, std::memory_order_relaxed);
    wg_.wait();
  }
  load(const load&) = delete;
  load& operator=(const load&) = delete;

 private:
  std::atomic<bool> stop_{false};
  pirn::wait_group wg_;
};

// The document's loop: how many of the yields came back on another thread than the one it began on.
int drifts_by_yield() {
  const load others;
  const pid_t began = gettid();
  int drifts = 0;
  for (int i = 0; i < k_rounds; ++i) {
    pirn::runtime::gosched();
    if (gettid() != began) ++drifts;
  }
  return drifts;
}

struct forced {
  int rounds = 0;  // in which the thread was taken while the goroutine was ready
  int moved = 0;   // of those
  int drifts = 0;  // in any round
};

// Makes the goroutine ready on the very thread it parked on and keeps that thread busy until it runs: unless it is
// locked it can only run on another one.
forced drifts_by_force() {
  forced result;
  const pirn::chan<void> wake;
  for (int i = 0; i < k_rounds; ++i) {
    const pid_t parked_on = gettid();
    std::atomic<bool> runs{false};
    std::atomic<bool> taken{false};
    pirn::wait_group hog;
    hog.go([&] {
      taken.store(gettid() == parked_on, std::memory_order_relaxed);  // read after the hog has ended
      wake.send();
      while (!runs.load(std::memory_order_relaxed)) {
      }
    });
    wake.recv();
    const bool moved = gettid() != parked_on;
    runs.store(true, std::memory_order_relaxed);
    hog.wait();
    if (moved) ++result.drifts;
    if (!taken) continue;
    ++result.rounds;
    if (moved) ++result.moved;
  }
  return result;
}

// Argument: LOCKED.
int probe(arguments args) {
  const bool locked = int_argument(args, 0) == 1;
  // With one P nothing can move.
  return pirn::run({.gomaxprocs = std::max(2, pirn::runtime::num_cpu())}, [=] {
    const auto as_goroutine = [=](const auto& f) {
      return pirn::spawn([&] {
               std::optional<pirn::runtime::os_thread_lock> pin;
               if (locked) pin.emplace();
               return f();
             })
          .get();
    };
    emit("yield_drifts", as_goroutine(drifts_by_yield));
    const forced f = as_goroutine(drifts_by_force);
    emit("forced_rounds", f.rounds);
    emit("forced_moves", f.moved);
    emit("forced_drifts", f.drifts);
  });
}

void judge(trial& t) {
  t.ran(text("%d yields among %d busy goroutines, and %d wake-ups with the waker's thread kept busy; locked and not",
             k_rounds, k_load, k_rounds));
  const int repeats = t.pick(5, 2);
  const paired locked = t.beside(repeats, {"1"});
  const paired loose = t.beside(repeats, {"0"});
  t.record(locked, "locked_");
  t.record(loose, "unlocked_");
  const auto drifts = [](const readings& r) { return r.number("yield_drifts") + r.number("forced_drifts"); };
  t.check(drifts(locked.pirn) == 0, text("locked: %g of %d on another thread", drifts(locked.pirn), 2 * k_rounds));
  const double rounds = loose.pirn.number("forced_rounds");
  const double moved = loose.pirn.number("forced_moves");
  t.check(rounds > 0 && moved == rounds, text("not locked: %g of %g forced wake-ups on another thread", moved, rounds));
}

const registration entry_t11(entry{
    .id = "T11",
    .title = "lock_os_thread keeps the thread",
    .seed = k_tasks_document,
    .target = "locked: no drift in 100 yields under load and 100 forced wake-ups; not locked: every forced one moves",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
