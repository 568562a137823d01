// shared_mutex: readers together, writers alone, nobody for ever. Unlocking what is not locked ends the process;
// tests/death checks that.
// Layer: tests of src/sync, through the public headers.
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class shared_mutex : public on_procs {};
PIRN_TEST_ON_PROCS(shared_mutex);

TEST_P(shared_mutex, is_shared_lockable) {
  run([] {
    pirn::shared_mutex a, b;
    { const std::unique_lock hold(a); }
    {
      const std::shared_lock one(a), two(a);
      EXPECT_FALSE(a.try_lock());
    }
    { const std::scoped_lock hold(a, b); }
    std::shared_lock shared(a, std::try_to_lock);
    EXPECT_TRUE(shared.owns_lock());
    std::unique_lock exclusive(b, std::try_to_lock);
    EXPECT_TRUE(exclusive.owns_lock());
    EXPECT_FALSE(b.try_lock_shared());
  });
}

// Go: TestRWMutex's TryLock part
TEST_P(shared_mutex, try_forms_say_whether_it_was_free) {
  run([] {
    pirn::shared_mutex m;
    m.lock();
    EXPECT_FALSE(m.try_lock());
    EXPECT_FALSE(m.try_lock_shared());
    m.unlock();
    ASSERT_TRUE(m.try_lock());
    EXPECT_FALSE(m.try_lock());
    EXPECT_FALSE(m.try_lock_shared());
    m.unlock();
    ASSERT_TRUE(m.try_lock_shared());
    EXPECT_FALSE(m.try_lock());
    ASSERT_TRUE(m.try_lock_shared());
    m.unlock_shared();
    EXPECT_FALSE(m.try_lock());
    m.unlock_shared();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

// Go: doTestParallelReaders
TEST_P(shared_mutex, readers_hold_it_together) {
  run([] {
    for (const int n : {1, 2, 3, 4, 10}) {
      pirn::shared_mutex m;
      pirn::barrier all(n);
      pirn::wait_group wg;
      for (int i = 0; i < n; ++i) {
        wg.go([&] {
          m.lock_shared();
          all.arrive_and_wait();
          m.unlock_shared();
        });
      }
      wg.wait();
      EXPECT_TRUE(m.try_lock());
      m.unlock();
    }
  });
}

// Go: HammerRWMutex. Some readers leave on another thread than they came on.
void hammer(unsigned readers, unsigned writers, int each) {
  pirn::shared_mutex m;
  std::atomic<int> activity{0};
  std::array<long, 4> plain{};
  const auto write = [&] {
    ASSERT_EQ(activity.fetch_add(10000), 0);
    for (long& p : plain) ++p;
    activity.fetch_sub(10000);
  };
  const auto read = [&](bool moves) {
    ASSERT_LT(activity.fetch_add(1), 10000);
    ASSERT_EQ(plain[0], plain[3]);
    if (moves) pirn::runtime::gosched();
    activity.fetch_sub(1);
  };
  pirn::wait_group wg;
  for (unsigned g = 0; g < writers; ++g) {
    wg.go([&, g] {
      auto random = random_for(g);
      for (int i = 0; i < each; ++i) {
        if (random() % 4 == 0) {
          if (!m.try_lock()) continue;
        } else {
          m.lock();
        }
        write();
        m.unlock();
        if (random() % 2 == 0) pirn::runtime::gosched();
      }
    });
  }
  for (unsigned g = 0; g < readers; ++g) {
    wg.go([&, g] {
      auto random = random_for(100 + g);
      for (int i = 0; i < 4 * each; ++i) {
        if (random() % 8 == 0) {
          if (!m.try_lock_shared()) continue;
        } else {
          m.lock_shared();
        }
        read(random() % 4 == 0);
        m.unlock_shared();
      }
    });
  }
  std::thread foreign([&] {
    auto random = random_for(200);
    for (int i = 0; i < each; ++i) {
      if (random() % 4 == 0) {
        m.lock();
        write();
        m.unlock();
      } else {
        m.lock_shared();
        read(false);
        m.unlock_shared();
      }
    }
  });
  wg.wait();
  join(foreign);
  EXPECT_EQ(activity, 0);
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST_P(shared_mutex, keeps_writers_and_readers_apart) {
  run([] {
    hammer(1, 1, scaled(1000));
    hammer(3, 1, scaled(1000));
    hammer(10, 2, scaled(1000));
    hammer(2, 6, scaled(1000));
  });
}

// Mostly readers, so that they get counters of their own, which each writer takes away.
TEST_P(shared_mutex, keeps_rare_writers_and_many_readers_apart) {
  run([] {
    for (int round = 0; round < 3; ++round) {
      pirn::shared_mutex m;
      std::atomic<bool> stop{false};
      std::array<long, 8> plain{};
      pirn::wait_group wg;
      for (unsigned g = 0; g < 6; ++g) {
        wg.go([&, g] {
          auto random = random_for(g);
          while (!stop) {
            for (int i = 0; i < 200; ++i) {
              const std::shared_lock hold(m);
              ASSERT_EQ(plain[0], plain[7]);
            }
            const std::shared_lock hold(m);
            if (random() % 2 == 0) pirn::runtime::gosched();
            ASSERT_EQ(plain[0], plain[7]);
          }
        });
      }
      for (int i = 0; i < scaled(200); ++i) {
        {
          const std::unique_lock hold(m);
          for (long& p : plain) ++p;
        }
        if (i % 2 == 0) pirn::sleep_for(50us);
        if (i % 3 == 0 && m.try_lock()) {
          for (long& p : plain) ++p;
          m.unlock();
        }
      }
      stop = true;
      wg.wait();
      EXPECT_EQ(plain[0], plain[7]);
    }
  });
}

TEST_P(shared_mutex, a_waiting_writer_keeps_new_readers_out) {
  run([] {
    pirn::shared_mutex m;
    m.lock_shared();
    auto writer = pirn::spawn([&] { m.lock(); });
    yield_until([&] {
      if (!m.try_lock_shared()) return true;
      m.unlock_shared();
      return false;
    });
    auto reader = pirn::spawn([&] { m.lock_shared(); });
    let_others_run();
    EXPECT_FALSE(writer.ready());
    EXPECT_FALSE(reader.ready());
    m.unlock_shared();
    writer.get();
    let_others_run();
    EXPECT_FALSE(reader.ready());
    m.unlock();
    reader.get();
    m.unlock_shared();
  });
}

// Go: "all readers that wait get it before the next writer".
// On one P, where all have parked by then.
TEST(shared_mutex_on_one_p, an_unlock_lets_the_waiting_readers_in_before_the_next_writer) {
  run_on(1, [] {
    pirn::shared_mutex m;
    m.lock();
    std::vector<pirn::join_handle<void>> readers;
    for (int i = 0; i < 5; ++i) {
      readers.push_back(pirn::spawn([&] { m.lock_shared(); }));
    }
    let_others_run();
    auto writer = pirn::spawn([&] { m.lock(); });
    let_others_run();
    m.unlock();
    for (auto& r : readers) r.get();
    EXPECT_FALSE(writer.ready());
    for (int i = 0; i < 5; ++i) m.unlock_shared();
    writer.get();
    m.unlock();
  });
}

// Takes it time and again as `Mine`, while at any moment somebody holds it as `Theirs`.
template <class Theirs, class Mine>
void get_in_beside_endless() {
  pirn::shared_mutex m;
  std::atomic<bool> stop{false};
  pirn::wait_group wg;
  for (int g = 0; g < 4; ++g) {
    wg.go([&] {
      while (!stop) {
        const Theirs hold(m);
        pirn::runtime::gosched();
      }
    });
  }
  for (int i = 0; i < scaled(200); ++i) {
    const Mine hold(m);
    pirn::runtime::gosched();
  }
  stop = true;
  wg.wait();
}

using read_lock = std::shared_lock<pirn::shared_mutex>;
using write_lock = std::unique_lock<pirn::shared_mutex>;

TEST_P(shared_mutex, endless_readers_starve_no_writer) { run(get_in_beside_endless<read_lock, write_lock>); }

TEST_P(shared_mutex, endless_writers_starve_no_reader) { run(get_in_beside_endless<write_lock, read_lock>); }

TEST_P(shared_mutex, may_be_unlocked_by_anybody) {
  run([] {
    pirn::shared_mutex m;
    // Readers of every kind, often enough for them to meet, each let out by another.
    const pirn::chan<void> inside(4);
    pirn::wait_group wg;
    for (int g = 0; g < 4; ++g) {
      wg.go([&] {
        for (int i = 0; i < scaled(500); ++i) {
          m.lock_shared();
          inside.send();
          if (i % 7 == 0) pirn::runtime::gosched();
          inside.recv();
          if (i % 16 == 0) {
            std::thread t([&] { m.unlock_shared(); });
            join(t);
          } else if (i % 3 == 0) {
            pirn::spawn([&] { m.unlock_shared(); }).get();
          } else if (i % 3 == 1) {
            pirn::runtime::blocking([&] { m.unlock_shared(); });
          } else {
            m.unlock_shared();
          }
        }
      });
    }
    wg.wait();
    m.lock();
    EXPECT_FALSE(m.try_lock_shared());
    pirn::spawn([&] { m.unlock(); }).get();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

TEST(shared_mutex_outside_a_run, works_between_threads) {
  pirn::shared_mutex m;
  long a = 0, b = 0;
  const auto work = [&](int id) {
    for (int i = 0; i < scaled(3000); ++i) {
      if ((i + id) % 5 == 0) {
        const std::unique_lock hold(m);
        ++a;
        ++b;
      } else {
        const std::shared_lock hold(m);
        ASSERT_EQ(a, b);
      }
    }
  };
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id) threads.emplace_back(work, id);
  for (auto& t : threads) t.join();
}

// A writer that waited for the readers of a run that has ended keeps no other reader out.
TEST(shared_mutex_outside_a_run, forgets_the_writers_of_a_run_that_ended) {
  for (const int procs : {1, 2, 4}) {
    pirn::shared_mutex m;
    std::thread reader, writer;
    m.lock_shared();
    run_and_abandon(procs, [&] {
      for (int i = 0; i < 3; ++i) {
        pirn::go([&] { m.lock(); });
      }
      yield_until([&] {
        if (!m.try_lock_shared()) return true;
        m.unlock_shared();
        return false;
      });
      reader = std::thread([&] {
        m.lock_shared();
        m.unlock_shared();
      });
      writer = std::thread([&] {
        m.lock();
        m.unlock();
      });
      for (int i = 0; i < 3; ++i) {
        pirn::go([&] { m.lock_shared(); });
      }
      let_others_run();
    });
    m.unlock_shared();
    reader.join();
    writer.join();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  }
}

// On main's stack, which goes before the run does. On one P they all wait by then.
TEST(shared_mutex_outside_a_run, may_go_while_abandoned_goroutines_wait_for_it) {
  run_and_abandon(1, [] {
    pirn::shared_mutex m;
    m.lock_shared();
    pirn::go([&] { m.lock(); });
    let_others_run();
    for (int i = 0; i < 5; ++i) {
      pirn::go([&] { m.lock_shared(); });
      pirn::go([&] { m.lock(); });
    }
    let_others_run();
  });
}

TEST(shared_mutex_outside_a_run, keeps_its_readers_from_one_run_to_the_next) {
  pirn::shared_mutex m;
  for (int round = 0; round < 5; ++round) {
    run_on(4, [&] {
      pirn::wait_group wg;
      for (int g = 0; g < 4; ++g) {
        wg.go([&] {
          for (int i = 0; i < scaled(2000); ++i) {
            const std::shared_lock hold(m);
          }
        });
      }
      wg.wait();
      if (round % 2 == 0) {
        m.lock_shared();
      } else {
        m.unlock_shared();
        EXPECT_TRUE(m.try_lock());
        m.unlock();
      }
    });
    if (round % 2 == 0) {
      EXPECT_FALSE(m.try_lock());
    }
  }
  m.unlock_shared();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

// Who has it alone may destroy it: all others have let go for good.
TEST_P(shared_mutex, may_be_destroyed_by_who_had_it_alone) {
  run([] {
    for (int i = 0; i < scaled(2000); ++i) {
      auto m = std::make_unique<pirn::shared_mutex>();
      std::atomic<int> inside{0};
      for (int k = 0; k < 4; ++k) {
        pirn::go([&, p = m.get()] {
          for (int n = 0; n < 20; ++n) {
            p->lock_shared();
            if (n == 19) ++inside;
            p->unlock_shared();
          }
        });
      }
      yield_until([&] { return inside == 4; });
      m->lock();
      m->unlock();
      m.reset();
    }
  });
}

}  // namespace
