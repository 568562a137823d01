// Goroutines that compute without ever calling pirn: they are stopped in place, on their threads, and go on there.
// Layer: tests of src/sched, through the public headers.
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cfenv>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/child.h"
#include "support/proc.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class in_place : public on_procs {};
PIRN_TEST_ON_PROCS(in_place);

// Computes until told to stop; how often it went round.
long compute_until(const std::atomic<bool>& stop) {
  long rounds = 0;
  while (!stop.load(std::memory_order_relaxed)) ++rounds;
  return rounds;
}

// Each sleep ends while every P has a goroutine that computes.
void sleep_a_few_times(int n = 5) {
  for (int i = 0; i < n; ++i) pirn::sleep_for(1ms);
}

TEST_P(in_place, others_run_beside_more_of_them_than_procs) {
  run([] {
    std::atomic<bool> stop{false};
    std::vector<pirn::join_handle<long>> hogs;
    hogs.reserve(static_cast<std::size_t>(GetParam()) + 3);
    for (int i = 0; i < GetParam() + 3; ++i) hogs.push_back(pirn::spawn([&] { return compute_until(stop); }));
    sleep_a_few_times();
    int counted = 0;
    pirn::wait_group wg;
    pirn::mutex m;
    for (int i = 0; i < 20; ++i) {
      wg.go([&] {
        std::scoped_lock hold(m);
        ++counted;
      });
    }
    wg.wait();
    EXPECT_EQ(counted, 20);
    stop = true;
    for (auto& h : hogs) EXPECT_GE(h.get(), 0);
  });
}

TEST_P(in_place, all_of_them_get_on) {
  run([] {
    constexpr int k_hogs = 6;
    std::atomic<long> rounds[k_hogs] = {};
    std::atomic<bool> stop{false};
    pirn::wait_group wg;
    for (auto& mine : rounds) {
      wg.go([&] {
        while (!stop.load(std::memory_order_relaxed)) mine.fetch_add(1, std::memory_order_relaxed);
      });
    }
    // Everyone a first, then a later turn.
    for (int turn = 0; turn < 2; ++turn) {
      for (auto& one : rounds) {
        const long before = one.load();
        while (one.load() == before) pirn::sleep_for(1ms);
      }
    }
    stop = true;
    wg.wait();
  });
}

// Ready goroutines go first, but not for ever.
TEST_P(in_place, gets_on_beside_goroutines_that_are_always_ready) {
  run([] {
    std::atomic<long> rounds{0};
    std::atomic<bool> stop{false};
    pirn::wait_group wg;
    for (int i = 0; i < GetParam(); ++i) {
      wg.go([&] {
        while (!stop.load(std::memory_order_relaxed)) rounds.fetch_add(1, std::memory_order_relaxed);
      });
    }
    pirn::chan<int> there, back;
    wg.go([=] {
      for (int v : there) back.send(v);
      back.close();
    });
    for (int turn = 0; turn < 3; ++turn) {
      const long before = rounds.load();
      for (int i = 0; rounds.load(std::memory_order_relaxed) - before < 1000; ++i) {
        there.send(i);
        ASSERT_EQ(back.recv(), i);
      }
    }
    stop = true;
    there.close();
    wg.wait();
  });
}

TEST_P(in_place, stays_on_its_thread_with_all_that_belongs_to_it) {
  static thread_local std::atomic<int> mine = 0;  // to ThreadSanitizer two goroutines on one thread race
  run([] {
    std::atomic<bool> stop{false};
    pirn::wait_group wg;
    for (int i = 1; i <= 5; ++i) {
      wg.go([&, i] {
        const long tid = thread_id();
        mine = i;
        errno = i;
        std::fesetround(i % 2 == 0 ? FE_UPWARD : FE_DOWNWARD);
        volatile double sum = 0;
        while (!stop.load(std::memory_order_relaxed)) sum = sum + 1;
        EXPECT_EQ(errno, i);
        EXPECT_EQ(std::fegetround(), i % 2 == 0 ? FE_UPWARD : FE_DOWNWARD);
        std::fesetround(FE_TONEAREST);
        EXPECT_EQ(mine, i);
        EXPECT_EQ(thread_id(), tid);
      });
    }
    sleep_a_few_times();
    stop = true;
    wg.wait();
  });
}

// Whoever is stopped in malloc or with a mutex in its hands stops those who want it, until it has had its next turn.
TEST_P(in_place, locks_of_others_in_their_hands) {
  run([] {
    std::mutex native;
    std::atomic<bool> stop{false};
    long guarded = 0;
    std::atomic<long> entered{0};
    pirn::wait_group wg;
    for (int i = 0; i < 3; ++i) {
      wg.go([&] {
        while (!stop.load(std::memory_order_relaxed)) {
          std::scoped_lock hold(native);
          ++guarded;
          for (int k = 0; k < 20'000; ++k) (void)stop.load(std::memory_order_relaxed);
          entered.fetch_add(1, std::memory_order_relaxed);
        }
      });
      wg.go([&] {
        while (!stop.load(std::memory_order_relaxed)) std::free(std::malloc(100));
      });
    }
    sleep_a_few_times();
    while (entered.load() < 20) pirn::sleep_for(1ms);
    for (int i = 0; i < 50; ++i) {
      auto p = std::make_unique<std::vector<int>>(100);
      std::scoped_lock hold(native);
      ++guarded;
      entered.fetch_add(1);
    }
    stop = true;
    wg.wait();
    EXPECT_EQ(guarded, entered.load());
  });
}

TEST_P(in_place, bound_to_threads_or_in_a_section) {
  run([] {
    std::atomic<bool> stop{false};
    pirn::wait_group wg;
    for (int i = 0; i < 2; ++i) {
      wg.go([&] {
        pirn::runtime::os_thread_lock here;
        const long tid = thread_id();
        compute_until(stop);
        pirn::runtime::gosched();
        EXPECT_EQ(thread_id(), tid);
      });
      wg.go([&] { pirn::runtime::blocking([&] { compute_until(stop); }); });
    }
    sleep_a_few_times();
    stop = true;
    wg.wait();
  });
}

// A sleep that nobody announced lasts as long as was asked for: no signal reaches the sleeper.
TEST_P(in_place, sleeps_of_neighbours_are_not_cut_short) {
  run([] {
    std::atomic<bool> stop{false};
    pirn::wait_group wg;
    for (int i = 0; i < GetParam() + 1; ++i) wg.go([&] { compute_until(stop); });
    std::vector<pirn::join_handle<int>> sleepers;
    sleepers.reserve(3);
    for (int i = 0; i < 3; ++i) {
      sleepers.push_back(pirn::spawn([] {
        int cut = 0;
        for (int k = 0; k < scaled(200); ++k) {
          const auto before = std::chrono::steady_clock::now();
          if (usleep(300) != 0 || std::chrono::steady_clock::now() - before < 300us) ++cut;
        }
        return cut;
      }));
    }
    for (auto& s : sleepers) EXPECT_EQ(s.get(), 0);
    stop = true;
    wg.wait();
  });
}

// run() is over while they compute: they are let go, as they may hold anything, and stop at their next call.
TEST_P(in_place, the_end_of_a_run_lets_them_go) {
  const int before = count_threads();
  std::atomic<bool> stop{false};
  std::atomic<bool> main_is_over{false};
  std::thread later([&] {
    spin_until([&] { return main_is_over.load(); });
    spin_until([] { return pirn::runtime::num_goroutine() <= GetParam() + 2; });  // main has ended, and the run with it
    stop = true;
  });
  pirn::config c = with_procs(GetParam());
  c.shutdown_grace = 30s;
  pirn::run(c, [&] {
    for (int i = 0; i < GetParam() + 2; ++i) {
      pirn::go([&] {
        compute_until(stop);
        for (;;) pirn::runtime::gosched();
      });
    }
    sleep_a_few_times();
    main_is_over = true;
  });
  later.join();
  spin_until([&] { return count_threads() <= before; });
}

std::atomic<int> received{0};
void count_signal(int) { ++received; }

// Whose handler it is decides what the signal was sent for.
TEST_P(in_place, the_program_may_use_the_signal_itself) {
  received = 0;
  struct sigaction own {};
  own.sa_handler = count_signal;
  struct sigaction before {};
  sigaction(SIGURG, &own, &before);
  for (const bool later : {false, true}) {
    received = 0;
    run([later] {
      if (later) signal(SIGURG, count_signal);
      std::atomic<bool> stop{false};
      pirn::wait_group wg;
      for (int i = 0; i < GetParam() + 1; ++i) wg.go([&] { compute_until(stop); });
      sleep_a_few_times();
      pthread_kill(pthread_self(), SIGURG);
      EXPECT_EQ(received.load(), 1);
      sleep_a_few_times();
      stop = true;
      wg.wait();
      EXPECT_EQ(received.load(), 1);
    });
  }
  struct sigaction now {};
  sigaction(SIGURG, nullptr, &now);
  EXPECT_EQ(now.sa_handler, count_signal);
  sigaction(SIGURG, &before, nullptr);
}

struct sigaction found {};
void count_and_pass_on(int signal, siginfo_t* info, void* context) {
  count_signal(signal);
  found.sa_sigaction(signal, info, context);
}

// As a library does it that shares signals: its handler calls the one that it found, which is the runtime's, and that
// has put itself first again meanwhile. So has the one that takes samples of running goroutines.
TEST_P(in_place, the_program_may_pass_the_signal_on) {
  if (k_tsan) GTEST_SKIP() << "no samples there";
  run([] {
    struct sigaction own {};
    own.sa_sigaction = count_and_pass_on;
    own.sa_flags = SA_SIGINFO;
    sigaction(SIGURG, &own, &found);
    std::atomic<bool> stop{false};
    pirn::wait_group wg;
    for (int i = 0; i < GetParam() + 1; ++i) wg.go([&] { compute_until(stop); });
    for (int i = 0; i < 5; ++i) {
      sleep_a_few_times();
      EXPECT_NE(pirn::runtime::stack(true).find("goroutine 1 [running"), std::string::npos);
      const int before = received;
      pthread_kill(pthread_self(), SIGURG);
      EXPECT_GT(received.load(), before);
    }
    stop = true;
    wg.wait();
  });
  signal(SIGURG, SIG_DFL);
}

TEST(in_place_signal, another_one_can_be_chosen) {
  pirn::config c = with_procs(1);
  c.preempt_signal = SIGUSR2;
  pirn::run(c, [] {
    std::atomic<bool> stop{false};
    auto hog = pirn::spawn([&] { return compute_until(stop); });
    sleep_a_few_times();
    stop = true;
    hog.get();
  });
  struct sigaction now {};
  sigaction(SIGUSR2, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
}

// Nobody runs beside it on the only P: it does not wait for the others, and sees that they have not run.
int runs_undisturbed(int signal) {
  pirn::config c = with_procs(1);
  c.preempt_signal = signal;
  std::atomic<bool> ran{false};
  bool seen = false;
  pirn::run(c, [&] {
    pirn::go([&] { ran = true; });
    const auto until = std::chrono::steady_clock::now() + 100ms;
    while (std::chrono::steady_clock::now() < until) {
    }
    seen = ran.load();
    pirn::runtime::gosched();
  });
  return !seen && ran ? 0 : 1;
}

TEST(in_place_signal, none_can_be_chosen) { EXPECT_EQ(runs_undisturbed(-1), 0); }

PIRN_CHILD(undisturbed) { return runs_undisturbed(0); }

TEST(in_place_signal, the_environment_can_turn_it_off) {
  const auto off = run_child("undisturbed", {{"PIRN_DEBUG", "other=1,asyncpreemptoff=1"}});
  EXPECT_EQ(off.exit_code, 0) << off.describe();
  const auto as_in_go = run_child("undisturbed", {{"GODEBUG", "asyncpreemptoff=1"}});
  EXPECT_EQ(as_in_go.exit_code, 0) << as_in_go.describe();
}

// A program that waits for the signal elsewhere, with the signal blocked, keeps it.
TEST(in_place_signal, a_blocked_signal_is_left_alone) {
  sigset_t only;
  sigset_t before;
  sigemptyset(&only);
  sigaddset(&only, SIGURG);
  pthread_sigmask(SIG_BLOCK, &only, &before);
  EXPECT_EQ(runs_undisturbed(0), 0);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
