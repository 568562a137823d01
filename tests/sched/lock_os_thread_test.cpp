// lock_os_thread(): the goroutine stays on its thread, nobody else runs there, and the thread ends with the goroutine.
// Layer: tests of src/sched, through the public headers.
#include <atomic>
#include <mutex>
#include <set>
#include <vector>

#include "support/proc.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class lock_os_thread : public on_procs {};
PIRN_TEST_ON_PROCS(lock_os_thread);

void park_in_every_way(const pirn::chan<int>& in, const pirn::chan<int>& out) {
  pirn::runtime::gosched();
  in.recv();
  out.send(1);
  pirn::sleep_for(50us);
  int v = 0;
  pirn::select(pirn::recv(in, v), pirn::recv(pirn::after(24h)));
  pirn::runtime::blocking([] {});
}

TEST_P(lock_os_thread, keeps_the_goroutine_on_its_thread) {
  run([] {
    pirn::chan<int> in, out(100);
    auto h = pirn::spawn([=] {
      pirn::runtime::lock_os_thread();
      const long tid = thread_id();
      for (int i = 0; i < 20; ++i) {
        park_in_every_way(in, out);
        ASSERT_EQ(thread_id(), tid);
      }
      pirn::runtime::unlock_os_thread();
    });
    for (int i = 0; i < 40; ++i) in.send(i);
    h.get();
  });
}

TEST_P(lock_os_thread, keeps_thread_locals) {
  static thread_local int mine = 0;
  run([] {
    pirn::chan<void> step;
    std::vector<pirn::join_handle<void>> all;
    for (int i = 1; i <= 4; ++i) {
      all.push_back(pirn::spawn([i] {
        pirn::runtime::os_thread_lock here;
        mine = i;
        for (int k = 0; k < 50; ++k) {
          pirn::runtime::gosched();
          ASSERT_EQ(mine, i);
        }
      }));
    }
    for (auto& h : all) h.get();
  });
}

TEST_P(lock_os_thread, runs_nobody_else_on_that_thread) {
  run([] {
    pirn::chan<long> owner;
    pirn::chan<void> release;
    auto h = pirn::spawn([=] {
      pirn::runtime::os_thread_lock here;
      owner.send(thread_id());
      release.recv();
    });
    const long locked = owner.recv().value();
    pirn::wait_group wg;
    for (int i = 0; i < 200; ++i) {
      wg.go([&] {
        for (int k = 0; k < 5; ++k) {
          EXPECT_NE(thread_id(), locked);
          pirn::runtime::gosched();
        }
      });
    }
    wg.wait();
    release.send();
    h.get();
  });
}

// Go: TestLockOSThreadNesting
TEST_P(lock_os_thread, counts_nested_locks) {
  run([] {
    pirn::spawn([] {
      pirn::runtime::lock_os_thread();
      pirn::runtime::lock_os_thread();
      pirn::runtime::unlock_os_thread();
      const long tid = thread_id();
      for (int i = 0; i < 200; ++i) {
        pirn::runtime::gosched();
        ASSERT_EQ(thread_id(), tid) << "still locked once";
      }
      pirn::runtime::unlock_os_thread();
      pirn::runtime::gosched();
    }).get();
  });
}

TEST_P(lock_os_thread, unlocking_what_is_not_locked_does_nothing) {
  run([] {
    pirn::runtime::unlock_os_thread();
    pirn::spawn([] {
      pirn::runtime::unlock_os_thread();
      pirn::runtime::os_thread_lock here;
      const long tid = thread_id();
      pirn::runtime::gosched();
      EXPECT_EQ(thread_id(), tid);
    }).get();
  });
}

// Go: TestLockOSThreadExit, both forms: a locked goroutine that ends takes its thread with it. The thread that called
// run() cannot end, since run() returns on it; but no goroutine runs there any more.
TEST_P(lock_os_thread, ends_the_thread_with_the_goroutine) {
  const long caller = thread_id();
  run([&] {
    bool caller_is_taken = false;
    for (int i = 0; i < 5; ++i) {
      const long tid = pirn::spawn([] {
                         pirn::runtime::lock_os_thread();
                         return thread_id();
                       }).get();
      caller_is_taken |= tid == caller;
      if (tid != caller) yield_until([&] { return !thread_exists(tid); });
      for (int k = 0; k < 50; ++k) {
        ASSERT_FALSE(caller_is_taken && thread_id() == caller) << "a goroutine runs on a thread that was taken away";
        ASSERT_NE(pirn::spawn(thread_id).get(), tid);
      }
    }
  });
  EXPECT_EQ(thread_id(), caller) << "run() returns where it was called";
}

TEST_P(lock_os_thread, leaves_the_thread_alive_after_the_last_unlock) {
  run([] {
    pirn::chan<void> release;
    const int before = pirn::runtime::num_thread();
    for (int i = 0; i < 50; ++i) {
      pirn::spawn([] {
        pirn::runtime::lock_os_thread();
        pirn::runtime::gosched();
        pirn::runtime::unlock_os_thread();
      }).get();
    }
    EXPECT_LT(pirn::runtime::num_thread(), before + 25) << "threads are reused";
  });
}

// Go: TestYieldLocked
TEST_P(lock_os_thread, a_locked_goroutine_can_yield_sleep_and_end_locked) {
  run([] {
    pirn::chan<bool> c;
    pirn::go([c] {
      pirn::runtime::lock_os_thread();
      for (int i = 0; i < 10; ++i) {
        pirn::runtime::gosched();
        pirn::sleep_for(100us);
      }
      c.send(true);
    });
    EXPECT_EQ(c.recv(), true);
  });
}

// Go: TestBlockLocked
TEST_P(lock_os_thread, a_locked_goroutine_can_block_on_a_channel) {
  run([] {
    pirn::chan<bool> c;
    auto h = pirn::spawn([c] {
      pirn::runtime::lock_os_thread();
      for (int i = 0; i < 10; ++i) c.send(true);
      pirn::runtime::unlock_os_thread();
    });
    for (int i = 0; i < 10; ++i) EXPECT_EQ(c.recv(), true);
    h.get();
  });
}

TEST_P(lock_os_thread, locked_goroutines_talk_to_locked_and_free_ones) {
  run([] {
    for (const bool both : {false, true}) {
      pirn::chan<int> ping, pong;
      auto h = pirn::spawn([=] {
        pirn::runtime::os_thread_lock here;
        const long tid = thread_id();
        for (int v : ping) {
          ASSERT_EQ(thread_id(), tid);
          pong.send(v + 1);
        }
      });
      auto player = pirn::spawn([=] {
        if (both) pirn::runtime::lock_os_thread();
        for (int i = 0; i < scaled(2000); ++i) {
          ping.send(i);
          ASSERT_EQ(pong.recv(), i + 1);
        }
        ping.close();
      });
      player.get();
      h.get();
    }
  });
}

TEST_P(lock_os_thread, many_locked_goroutines_progress_on_few_procs) {
  run([] {
    constexpr int k_goroutines = 30;
    pirn::chan<long> tids(k_goroutines);
    pirn::chan<void> all_counted;
    pirn::wait_group wg;
    for (int i = 0; i < k_goroutines; ++i) {
      wg.go([=] {
        pirn::runtime::os_thread_lock here;
        tids.send(thread_id());
        all_counted.recv();
      });
    }
    std::set<long> different;
    for (int i = 0; i < k_goroutines; ++i) different.insert(tids.recv().value());
    EXPECT_EQ(different.size(), static_cast<std::size_t>(k_goroutines));
    all_counted.close();
    wg.wait();
  });
}

TEST_P(lock_os_thread, main_can_lock_and_leave_locked) {
  EXPECT_EQ(pirn::run(with_procs(GetParam()),
                      [] {
                        pirn::runtime::lock_os_thread();
                        pirn::runtime::lock_os_thread();
                        return pirn::spawn([] { return 6; }).get();
                      }),
            6);
}

// Go: TestLockOSThreadTemplateThreadRace's purpose: threads born while the creator is locked serve others.
TEST_P(lock_os_thread, a_locked_goroutine_can_start_others) {
  run([] {
    pirn::runtime::os_thread_lock here;
    const long mine = thread_id();
    std::vector<pirn::join_handle<long>> all;
    for (int i = 0; i < 50; ++i) {
      all.push_back(pirn::spawn([] {
        pirn::runtime::blocking([] {});
        return thread_id();
      }));
    }
    for (auto& h : all) EXPECT_NE(h.get(), mine);
    EXPECT_EQ(thread_id(), mine);
  });
}

}  // namespace
