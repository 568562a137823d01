// Goroutines that are stopped in place, and lose their Ps, until that has happened so many times: none is lost, none
// runs twice at once or goes on from an earlier state. 3000 times, or a million in the nightly form. Besides the
// monitor, which looks for a good moment, a thread of the test asks without looking, at any moment at all. Layer:
// tests, white-box: the scheduler counts.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "sched/entry.h"
#include "sched/in_place.h"
#include "support/debug_setting.h"
#include "support/nightly.h"
#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

struct times {
  std::uint64_t stopped;  // in place
  std::uint64_t taken;    // Ps
};

times times_so_far() {
  const pirn::rt::entry inside;
  pirn::rt::scheduler& s = *pirn::rt::the_scheduler.load();
  s.mu.lock();
  const times now{s.stops_in_place, s.ps_taken};
  s.mu.unlock();
  return now;
}

// As the monitor, but in a hurry: stops whoever has a P, by the signal, or takes the P, also of one that computes.
void harass(const std::atomic<bool>& enough) {
  pirn::rt::scheduler& s = *pirn::rt::the_scheduler.load();
  auto random = random_for(1000);
  while (!enough.load()) {
    for (int i = 0; i < s.proc_slots.load(); ++i) {
      pirn::rt::processor* p = s.procs[static_cast<std::size_t>(i)].get();
      pirn::rt::worker* w = p->holder.load();
      if (w == nullptr) continue;
      const std::uint32_t tick = p->tick.load();
      if (random() % 4 != 0) {
        pirn::rt::ask_to_stop(w, pirn::rt::k_stop_on_p, tick);
      } else {
        pirn::rt::take_p_away(s, p, tick, w->in_call.load());
      }
    }
    usleep(static_cast<unsigned>(random() % 30));
  }
}

void compute(long steps) {
  std::atomic<long> n{0};
  while (n.fetch_add(1, std::memory_order_relaxed) < steps) {
  }
}

class players {
 public:
  explicit players(int n) : all_(static_cast<std::size_t>(n)) {}

  void play_until(std::uint64_t count) {
    for (int i = 0; i < k_tokens; ++i) tokens_.send(i);
    std::thread second_monitor(harass, std::cref(enough_));
    pirn::wait_group wg;
    for (std::size_t i = 0; i < all_.size(); ++i) wg.go([this, i] { play(all_[i], i); });
    times now = times_so_far();
    // Each has its turns, however long that takes: a lost one makes this a hang.
    while (now.stopped + now.taken < count || !everybody_moves()) {
      pirn::sleep_for(2ms);
      now = times_so_far();
    }
    enough_ = true;
    second_monitor.join();
    wg.wait();
    std::printf("stopped in place %llu times, %llu Ps taken\n", static_cast<unsigned long long>(now.stopped),
                static_cast<unsigned long long>(now.taken));
    EXPECT_GT(now.stopped, 0u);
    EXPECT_GT(now.taken, 0u);
    EXPECT_EQ(twice_, 0);
    EXPECT_EQ(ended_, static_cast<int>(all_.size()));
    EXPECT_EQ(children_ended_, children_);
    tokens_.close();
    std::vector<int> seen(k_tokens);
    while (auto t = tokens_.recv()) ++seen[static_cast<std::size_t>(*t)];
    for (const int n : seen) EXPECT_EQ(n, 1);
  }

 private:
  static constexpr int k_tokens = 3;

  struct player {
    std::atomic<bool> in_a_step{false};
    std::atomic<long> steps{0};
    long seen_steps = 0;  // the main goroutine's
  };

  bool everybody_moves() {
    bool all = true;
    for (player& p : all_) all = all && p.steps.load() > p.seen_steps;
    if (all) {
      for (player& p : all_) p.seen_steps = p.steps.load();
    }
    return all;
  }

  void play(player& p, std::uint64_t number) {
    auto random = random_for(number);
    volatile long steps = 0;  // on its stack: goes on from where it was
    while (!enough_.load(std::memory_order_relaxed)) {
      if (p.in_a_step.exchange(true)) ++twice_;
      steps = steps + 1;
      if (p.steps.fetch_add(1) + 1 != steps) ++twice_;
      step(random);
      if (p.steps.load() != steps || !p.in_a_step.exchange(false)) ++twice_;
    }
    ++ended_;
  }

  void step(std::mt19937& random) {
    switch (random() % 16) {
      case 0: {
        const int t = tokens_.recv().value();
        compute(static_cast<long>(random() % 20'000));
        tokens_.send(t);
        break;
      }
      case 1: {
        ++children_;
        pirn::spawn([this, work = static_cast<long>(random() % 50'000)] {
          compute(work);
          ++children_ended_;
        }).get();
        break;
      }
      case 2:
        pirn::sleep_for(std::chrono::microseconds(random() % 100));
        break;
      case 3: {
        const pirn::runtime::os_thread_lock here;
        compute(static_cast<long>(random() % 50'000));
        pirn::runtime::gosched();
        break;
      }
      case 4:
      case 5:
        usleep(static_cast<unsigned>(random() % 300));
        break;
      case 6:
      case 7:
      case 8:
        pirn::runtime::blocking([&] { usleep(static_cast<unsigned>(random() % 60)); });
        break;
      default:
        compute(static_cast<long>(random() % 300'000));
    }
  }

  std::vector<player> all_;
  pirn::chan<int> tokens_{k_tokens};
  std::atomic<bool> enough_{false};
  std::atomic<int> twice_{0};
  std::atomic<int> ended_{0};
  std::atomic<long> children_{0};
  std::atomic<long> children_ended_{0};
};

class preemption : public on_procs {
  const debug_setting short_slices_{"preemptslice=500,chaosstops=1"};
};
PIRN_TEST_ON_PROCS(preemption);

TEST_P(preemption, loses_no_goroutine_and_runs_none_twice) {
  constexpr int k_instances = 3;
  run([] { players(10).play_until(static_cast<std::uint64_t>(times_for(3000, 1'000'002) / k_instances)); });
}

}  // namespace
