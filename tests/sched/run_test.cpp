// run(): what it returns, what leaves it, when it may be called, what becomes of the other goroutines at its end, and
// that it gives back what it took.
// Layer: tests of src/sched, through the public headers.
#include <atomic>
#include <cstring>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/proc.h"
#include "support/support.h"

namespace {

using namespace std::chrono_literals;
using namespace pirn_test;

pirn::config with_exit(int procs, pirn::at_exit policy) {
  pirn::config c = with_procs(procs);
  c.at_exit = policy;
  return c;
}

TEST(run, returns_the_int_that_main_returns) {
  EXPECT_EQ(pirn::run([] { return 7; }), 7);
  EXPECT_EQ(pirn::run([] { return -3; }), -3);
}

TEST(run, returns_zero_for_a_void_main) {
  bool ran = false;
  EXPECT_EQ(pirn::run([&] { ran = true; }), 0);
  EXPECT_TRUE(ran);
}

TEST(run, takes_a_move_only_callable) {
  EXPECT_EQ(pirn::run([p = std::make_unique<int>(5)] { return *p; }), 5);
}

struct coded_error : std::runtime_error {
  coded_error(const char* text, int c) : std::runtime_error(text), code(c) {}
  int code;
};

TEST(run, lets_an_exception_leave_as_what_it_was) {
  try {
    pirn::run([]() -> int { throw coded_error("left main", 9); });
    FAIL() << "run returned";
  } catch (const coded_error& e) {
    EXPECT_STREQ(e.what(), "left main");
    EXPECT_EQ(e.code, 9);
  }
  EXPECT_THROW(pirn::run([] { throw 42; }), int);
  EXPECT_EQ(pirn::run([] { return 1; }), 1) << "the next run is untouched by it";
}

TEST(run, lets_an_exception_leave_while_goroutines_are_parked) {
  pirn::chan<int> c;
  EXPECT_THROW(pirn::run([&] {
                 for (int i = 0; i < 10; ++i) pirn::go([&] { c.recv(); });
                 let_others_run();
                 throw std::runtime_error("main fails");
               }),
               std::runtime_error);
}

TEST(run, unwinds_mains_own_locals_when_an_exception_leaves) {
  std::atomic<int> destroyed{0};
  EXPECT_THROW(pirn::run([&] {
                 tell_when_destroyed guard(destroyed);
                 throw std::runtime_error("main fails");
               }),
               std::runtime_error);
  EXPECT_EQ(destroyed, 1);
}

TEST(run, can_be_called_again) {
  for (int i = 0; i < 20; ++i) {
    int sum = 0;
    EXPECT_EQ(pirn::run(with_procs(1 + i % 3),
                        [&] {
                          pirn::chan<int> c(2);
                          for (int k = 0; k < 5; ++k) pirn::go([c, k] { c.send(k); });
                          for (int k = 0; k < 5; ++k) sum += c.recv().value();
                          return i;
                        }),
              i);
    EXPECT_EQ(sum, 10);
  }
}

TEST(run, can_be_called_from_another_thread) {
  int got = 0;
  std::thread([&] { got = pirn::run([] { return 11; }); }).join();
  EXPECT_EQ(got, 11);
  EXPECT_EQ(pirn::run([] { return 12; }), 12);
}

TEST(run, nested_in_a_run_throws_logic_error) {
  pirn::run([] {
    EXPECT_THROW(pirn::run([] {}), std::logic_error);
    bool threw = false;
    pirn::spawn([&] {
      try {
        pirn::run([] {});
      } catch (const std::logic_error&) {
        threw = true;
      }
    }).get();
    EXPECT_TRUE(threw) << "in a goroutine too";
  });
}

TEST(run, concurrent_with_a_run_throws_logic_error) {
  run_on(2, [] {
    std::thread other([] { EXPECT_THROW(pirn::run([] {}), std::logic_error); });
    join(other);
    EXPECT_EQ(pirn::spawn([] { return 3; }).get(), 3) << "the running one is untouched by it";
  });
}

TEST(run, gives_main_a_stack_of_its_own) {
  char on_thread = 0;
  const auto here = reinterpret_cast<std::uintptr_t>(&on_thread);
  pirn::run([&] {
    char on_goroutine = 0;
    const auto there = reinterpret_cast<std::uintptr_t>(&on_goroutine);
    EXPECT_GT(here > there ? here - there : there - here, 64u * 1024);
  });
}

TEST(run, gives_main_the_stack_size_asked_for) {
  pirn::config c;
  c.main_stack_size = std::size_t{4} << 20;
  pirn::run(c, [] {
    volatile char most_of_it[3 << 20];
    for (std::size_t i = 0; i < sizeof most_of_it; i += 4096) most_of_it[i] = static_cast<char>(i >> 12);
    let_others_run();
    for (std::size_t i = 0; i < sizeof most_of_it; i += 4096) ASSERT_EQ(most_of_it[i], static_cast<char>(i >> 12));
  });
}

TEST(run, gives_goroutines_the_default_stack_size_asked_for) {
  pirn::config c;
  c.stack_size = std::size_t{2} << 20;
  pirn::run(c, [] {
    pirn::spawn([] {
      volatile char most_of_it[3 << 19];
      for (std::size_t i = 0; i < sizeof most_of_it; i += 4096) most_of_it[i] = 1;
    }).get();
  });
}

TEST(run, refuses_stack_sizes_that_cannot_be) {
  for (const std::size_t size : {std::size_t{1} << 62, ~std::size_t{0}}) {
    pirn::config c;
    c.main_stack_size = size;
    EXPECT_THROW(pirn::run(c, [] {}), std::exception) << size;
  }
  EXPECT_EQ(pirn::run([] { return 1; }), 1);
}

TEST(run, keeps_main_on_its_thread_when_asked_to) {
  pirn::config c = with_procs(2);
  c.lock_main_thread = true;
  const long here = thread_id();
  pirn::run(c, [&] {
    pirn::chan<int> ping, pong;
    pirn::go([=] {
      for (int v : ping) pong.send(v);
    });
    for (int i = 0; i < 100; ++i) {
      ping.send(i);
      EXPECT_EQ(pong.recv(), i);
      EXPECT_EQ(thread_id(), here);
    }
    ping.close();
    pirn::sleep_for(1ms);
    EXPECT_EQ(thread_id(), here);
  });
}

// The places where a goroutine can be parked at the end of a run. What they wait on outlives the run.
struct parking_places {
  parking_places() : full(1), never_locked_again(std::make_unique<pirn::mutex>()) {
    full.send(0);
    never_done.add(1);
  }

  void park(int place) {
    int out = 0;
    switch (place) {
      case 0:
        empty.recv();
        break;
      case 1:
        empty_too.send(1);
        break;
      case 2:
        full.send(1);
        break;
      case 3:
        pirn::chan<int>(nullptr).recv();
        break;
      case 4:
        pirn::chan<int>(nullptr).send(1);
        break;
      case 5:
        pirn::select();
        break;
      case 6:
        pirn::select(pirn::recv(empty, out), pirn::send(full, 2));
        break;
      case 7:
        pirn::sleep_for(24h);
        break;
      case 8:
        never_locked_again->lock();
        break;
      case 9:
        never_done.wait();
        break;
      case 10:
        pirn::after(24h).recv();
        break;
      case 11:
        for (;;) pirn::runtime::gosched();
    }
  }
  static constexpr int k_count = 12;

  pirn::chan<int> empty, empty_too, full;
  pirn::wait_group never_done;
  std::unique_ptr<pirn::mutex> never_locked_again;
};

// config::at_exit = abandon, the default and what Go does.
TEST(run_exit, abandons_parked_goroutines_without_running_their_destructors) {
  for (const int procs : {1, 2}) {
    parking_places places;
    std::atomic<int> parked{0}, destroyed{0}, went_on{0};
    pirn::run(with_procs(procs), [&] {
      places.never_locked_again->lock();
      for (int i = 0; i < parking_places::k_count; ++i) {
        pirn::go([&, i] {
          tell_when_destroyed guard(destroyed);
          ++parked;
          places.park(i);
          ++went_on;
        });
      }
      yield_until([&] { return parked == parking_places::k_count; });
      let_others_run();
    });
    EXPECT_EQ(destroyed, 0);
    EXPECT_EQ(went_on, 0);
  }
}

TEST(run_exit, abandoned_goroutines_never_run_again) {
  std::atomic<long> steps{0};
  pirn::run(with_procs(2), [&] {
    for (int i = 0; i < 4; ++i) {
      pirn::go([&] {
        for (;;) {
          ++steps;
          pirn::runtime::gosched();
        }
      });
    }
    yield_until([&] { return steps > 100; });
  });
  const long at_end = steps;
  run_on(2, [] { let_others_run(1000); });
  EXPECT_EQ(steps, at_end);
}

TEST(run_exit, abandoned_waiters_are_unlinked_from_their_channels) {
  pirn::chan<int> c, full(1);
  full.send(1);
  pirn::run(with_procs(1), [&] {
    for (int i = 0; i < 5; ++i) {
      pirn::go([&] { c.recv(); });
      pirn::go([&] { full.send(2); });
      pirn::go([&] {
        int out = 0;
        pirn::select(pirn::recv(c, out), pirn::send(full, 3));
      });
    }
    let_others_run();
  });
  run_on(1, [&] {
    EXPECT_FALSE(c.try_send(1)) << "a dead receiver took the value";
    EXPECT_EQ(full.recv(), 1);
    EXPECT_EQ(full.try_recv().status, pirn::chan_status::empty) << "a dead sender's value came out";
    auto h = pirn::spawn([&] { return c.recv(); });
    c.send(9);
    EXPECT_EQ(h.get(), 9);
  });
}

TEST(run_exit, abandoned_waiters_are_unlinked_from_their_locks) {
  pirn::mutex m;
  pirn::run(with_procs(1), [&] {
    m.lock();
    for (int i = 0; i < 5; ++i) {
      pirn::go([&] {
        m.lock();
        ADD_FAILURE() << "an abandoned goroutine got the lock";
      });
    }
    let_others_run();
  });
  run_on(1, [&] {
    m.unlock();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
    m.lock();
    m.unlock();
  });
}

TEST(run_exit, abandons_goroutines_that_never_started) {
  std::atomic<int> ran{0};
  pirn::run(with_procs(1), [&] {
    for (int i = 0; i < 1000; ++i) pirn::go([&] { ++ran; });
  });
  const int at_end = ran;
  run_on(1, [] { let_others_run(); });
  EXPECT_EQ(ran, at_end);
}

// config::at_exit = unwind.
TEST(run_exit, unwinding_runs_the_destructors_of_every_parked_goroutine) {
  for (const int procs : {1, 2}) {
    parking_places places;
    std::atomic<int> parked{0}, locals{0}, captures{0}, went_on{0}, caught{0};
    pirn::run(with_exit(procs, pirn::at_exit::unwind), [&] {
      places.never_locked_again->lock();
      for (int i = 0; i < parking_places::k_count; ++i) {
        pirn::go([&, i, capture = tell_when_destroyed(captures)] {
          tell_when_destroyed local(locals);
          ++parked;
          try {
            places.park(i);
          } catch (const std::exception&) {
            ++caught;
          }
          ++went_on;
        });
      }
      yield_until([&] { return parked == parking_places::k_count; });
      let_others_run();
    });
    EXPECT_EQ(locals, parking_places::k_count) << procs << " procs";
    EXPECT_EQ(captures, parking_places::k_count) << procs << " procs";
    EXPECT_EQ(caught, 0) << "a forced unwind is no std::exception";
    EXPECT_EQ(went_on, 0);
  }
}

TEST(run_exit, unwinding_destroys_the_closures_of_goroutines_that_never_started) {
  std::atomic<int> captures{0};
  pirn::run(with_exit(1, pirn::at_exit::unwind), [&] {
    for (int i = 0; i < 100; ++i) pirn::go([capture = tell_when_destroyed(captures)] {});
  });
  EXPECT_EQ(captures, 100);
}

TEST(run_exit, unwinding_lets_destructors_use_channels_and_locks) {
  pirn::chan<int> never, log(10);
  pirn::mutex m;
  struct on_exit {
    std::function<void()> f;
    ~on_exit() { f(); }
  };
  pirn::run(with_exit(1, pirn::at_exit::unwind), [&] {
    for (int i = 0; i < 10; ++i) {
      pirn::go([&, i] {
        on_exit report{[&, i] {
          std::scoped_lock hold(m);
          log.send(i);
        }};
        never.recv();
      });
    }
    let_others_run();
  });
  EXPECT_EQ(log.len(), 10u);
}

TEST(run_exit, unwinding_ends_goroutines_started_by_the_destructors_of_others) {
  pirn::chan<int> never;
  std::atomic<int> destroyed{0};
  struct starter {
    pirn::chan<int>& never;
    std::atomic<int>& destroyed;
    ~starter() {
      pirn::go([this_never = &never, guard = tell_when_destroyed(destroyed)] { this_never->recv(); });
    }
  };
  pirn::run(with_exit(1, pirn::at_exit::unwind), [&] {
    pirn::go([&] {
      starter s{never, destroyed};
      never.recv();
    });
    let_others_run();
  });
  EXPECT_EQ(destroyed, 1);
}

// config::at_exit = wait.
TEST(run_exit, unwinding_lets_destructors_wait) {
  pirn::chan<int> never;
  bool waited = false;
  struct joiner {
    bool& waited;
    ~joiner() {
      pirn::wait_group children;
      children.go([] { pirn::runtime::gosched(); });
      children.wait();
      waited = true;
    }
  };
  pirn::run(with_exit(1, pirn::at_exit::unwind), [&] {
    pirn::go([&] {
      const joiner at_end{waited};
      never.recv();
    });
    let_others_run(10);
  });
  EXPECT_TRUE(waited);
}

// Else a thread that keeps calling go() would keep the run from ending.
TEST(run_exit, unwinding_refuses_goroutines_of_other_threads) {
  bool refused = false;
  pirn::chan<int> never;
  struct starter {
    bool& refused;
    ~starter() {
      std::thread([this] {
        try {
          pirn::go([] {});
        } catch (const std::logic_error&) {
          refused = true;
        }
      }).join();
    }
  };
  pirn::run(with_exit(1, pirn::at_exit::unwind), [&] {
    pirn::go([&] {
      const starter at_end{refused};
      never.recv();
    });
    let_others_run(10);
  });
  EXPECT_TRUE(refused);
}

TEST(run_exit, waiting_returns_when_every_goroutine_has_ended) {
  for (const int procs : {1, 2}) {
    std::atomic<int> ended{0};
    EXPECT_EQ(pirn::run(with_exit(procs, pirn::at_exit::wait),
                        [&] {
                          for (int i = 0; i < 50; ++i) {
                            pirn::go([&, i] {
                              pirn::sleep_for(std::chrono::microseconds(50 * i));
                              pirn::go([&] {
                                let_others_run(3);
                                ++ended;
                              });
                              ++ended;
                            });
                          }
                          return 4;
                        }),
              4);
    EXPECT_EQ(ended, 100);
  }
}

TEST(run_exit, gives_back_threads_and_descriptors) {
  const auto busy = [] {
    pirn::wait_group wg;
    for (int i = 0; i < 20; ++i) {
      wg.go([] {
        pirn::runtime::blocking([] { std::this_thread::yield(); });
        pirn::sleep_for(100us);
      });
    }
    wg.wait();
  };
  run_on(4, busy);
  const int threads = count_threads();
  const int descriptors = count_descriptors();
  for (int i = 0; i < 5; ++i) run_on(4, busy);
  // A joined thread may be visible in /proc for an instant longer.
  spin_until([&] { return count_threads() <= threads; });
  EXPECT_EQ(count_descriptors(), descriptors);
}

// At one P a thread that comes in waits until the holder of the P has been outside. A worker that has stopped must not
// be waited for: beside a section that outlasts the grace, the thread and run() would wait for each other.
TEST(run_exit, is_not_held_up_by_a_thread_that_comes_in_beside_a_blocking_section) {
  static std::counting_semaphore<> lasting{0};  // static: the section outlives the run
  for (int i = 0; i < 5; ++i) {
    const pirn::chan<int> ch(1);
    std::atomic<bool> leaving{false};
    std::thread outside;
    pirn::config c = with_procs(1);
    c.shutdown_grace = 20ms;
    pirn::run(c, [&] {
      // The first section keeps the calling thread, so that the second has another one.
      std::counting_semaphore<> passing{0};
      std::atomic<int> begun{0};
      const auto stay = [&begun](std::counting_semaphore<>& until) {
        pirn::runtime::blocking([&] {
          ++begun;
          until.acquire();
        });
      };
      auto first = pirn::spawn([&] { stay(passing); });
      yield_until([&] { return begun == 1; });
      pirn::go([&] { stay(lasting); });
      yield_until([&] { return begun == 2; });
      passing.release();
      first.get();
      outside = std::thread([&] {
        spin_until([&] { return leaving.load(); });
        ch.try_send(1);
      });
      leaving = true;
    });
    outside.join();
    lasting.release();
  }
}

TEST(run_exit, gives_back_the_threads_themselves) {
  // Sanitizers keep a thread of their own, started by the first use; whatever is there now is not pirn's.
  run_on(1, [] {});
  std::thread([] {}).join();
  const int before = count_threads();
  pirn::run(with_procs(4), [&] {
    pirn::chan<int> never(nullptr);
    for (int i = 0; i < 8; ++i) pirn::go([] { let_others_run(50); });
    let_others_run();
  });
  spin_until([&] { return count_threads() <= before; });
  SUCCEED();
}

TEST(run_exit, gives_back_its_memory) {
  constexpr int k_runs = 60;
  pirn::chan<int> never;
  const auto once = [&] {
    pirn::run(with_procs(2), [&] {
      for (int i = 0; i < 50; ++i) pirn::go([&] { never.recv(); });
      let_others_run(10);
    });
  };
  for (int i = 0; i < 5; ++i) once();
  const int before = count_mappings();
  for (int i = 0; i < k_runs; ++i) once();
  EXPECT_LT(count_mappings() - before, k_runs / 2) << "mappings grow with every run";
}

}  // namespace
