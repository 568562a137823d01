// go(): which callables and arguments it takes, whose copies they become, from where it may be called, and stack sizes.
// Layer: tests of src/sched, through the public headers.
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class go : public on_procs {};
PIRN_TEST_ON_PROCS(go);

TEST_P(go, runs_the_function) {
  run([] {
    pirn::chan<int> c;
    pirn::go([c] { c.send(1); });
    EXPECT_EQ(c.recv(), 1);
  });
}

TEST_P(go, returns_before_the_function_has_to_end) {
  run([] {
    pirn::chan<void> release;
    for (int i = 0; i < 10; ++i) pirn::go([release] { release.recv(); });
    release.close();
  });
}

void add_up(const pirn::chan<long>& out, int a, long b, short c) { out.send(a + b + c); }

struct account {
  void deposit(int amount, const pirn::chan<int>& out) { out.send(balance += amount); }
  int balance = 40;
};

TEST_P(go, passes_arguments_as_std_thread_does) {
  run([] {
    pirn::chan<long> out;
    pirn::go(add_up, out, 1, 2L, short{3});
    EXPECT_EQ(out.recv(), 6);

    pirn::chan<int> balance;
    account a;
    pirn::go(&account::deposit, &a, 2, balance);
    EXPECT_EQ(balance.recv(), 42);

    int changed = 0;
    pirn::chan<void> done;
    pirn::go(
        [](int& target, const pirn::chan<void>& d) {
          target = 5;
          d.send();
        },
        std::ref(changed), done);
    done.recv();
    EXPECT_EQ(changed, 5);
  });
}

TEST_P(go, keeps_its_own_copies_of_the_arguments) {
  run([] {
    pirn::chan<std::string> out;
    {
      std::string text = "the caller's string, long enough to be on the heap";
      pirn::go([](const std::string& s, const pirn::chan<std::string>& o) { o.send(s); }, text, out);
      text.assign(text.size(), '#');
    }
    EXPECT_EQ(out.recv(), "the caller's string, long enough to be on the heap");
  });
}

TEST_P(go, takes_move_only_callables_and_arguments) {
  run([] {
    pirn::chan<int> out;
    auto p = std::make_unique<int>(20);
    pirn::go([p = std::move(p), out](std::unique_ptr<int> q) { out.send(*p + *q); }, std::make_unique<int>(22));
    EXPECT_EQ(out.recv(), 42);
  });
}

template <std::size_t Size>
void send_a_closure_of(const pirn::chan<bool>& out) {
  std::array<unsigned char, Size> bytes{};
  for (std::size_t i = 0; i < Size; ++i) bytes[i] = static_cast<unsigned char>(i * 7);
  pirn::go([bytes, out] {
    bool same = true;
    for (std::size_t i = 0; i < Size; ++i) same &= bytes[i] == static_cast<unsigned char>(i * 7);
    out.send(same);
  });
}

TEST_P(go, takes_closures_of_any_size) {
  run([] {
    pirn::chan<bool> out(10);
    send_a_closure_of<1>(out);
    send_a_closure_of<40>(out);
    send_a_closure_of<64>(out);
    send_a_closure_of<65>(out);
    send_a_closure_of<256>(out);
    send_a_closure_of<5000>(out);
    send_a_closure_of<50000>(out);
    for (int i = 0; i < 7; ++i) EXPECT_EQ(out.recv(), true);
  });
}

struct alignas(128) aligned_callable {
  pirn::chan<std::uintptr_t> out;
  void operator()() const { out.send(reinterpret_cast<std::uintptr_t>(this)); }
};

TEST_P(go, keeps_the_alignment_of_the_callable) {
  run([] {
    for (int i = 0; i < 10; ++i) {
      aligned_callable f;
      pirn::go(f);
      EXPECT_EQ(f.out.recv().value() % 128, 0u);
    }
  });
}

TEST_P(go, destroys_the_callable_once) {
  std::atomic<int> destroyed{0};
  run([&] {
    for (int i = 0; i < 100; ++i) pirn::go([guard = tell_when_destroyed(destroyed)] { let_others_run(1); });
  });
  EXPECT_EQ(destroyed, 100);
}

struct throws_when_copied {
  throws_when_copied() = default;
  throws_when_copied(const throws_when_copied&) { throw std::runtime_error("copy fails"); }
  void operator()() const {}
};

TEST_P(go, starts_nothing_when_the_copy_throws) {
  run([] {
    const throws_when_copied f;
    EXPECT_THROW(pirn::go(f), std::runtime_error);
    EXPECT_THROW(pirn::go([](const throws_when_copied&) {}, f), std::runtime_error);
    EXPECT_EQ(pirn::runtime::num_goroutine(), 1);
  });
}

TEST_P(go, works_inside_goroutines_inside_goroutines) {
  run([] {
    pirn::chan<int> out;
    std::function<void(int)> deeper = [&](int depth) {
      if (depth == 0) {
        out.send(1);
      } else {
        pirn::go(deeper, depth - 1);
      }
    };
    deeper(scaled(1000));
    EXPECT_EQ(out.recv(), 1);
    expect_no_other_goroutine();
  });
}

TEST_P(go, starts_many) {
  std::atomic<int> ran{0};
  run([&] {
    pirn::wait_group wg;
    const int n = scaled(50000);
    wg.add(n);
    for (int i = 0; i < n; ++i) {
      pirn::go([&] {
        ++ran;
        wg.done();
      });
    }
    wg.wait();
    EXPECT_EQ(ran, n);
  });
}

TEST_P(go, holds_many_parked_at_once) {
  run([] {
    pirn::chan<void> release;
    pirn::wait_group wg;
    const int n = scaled(20000);
    std::atomic<int> parked{0};
    for (int i = 0; i < n; ++i) {
      wg.go([&] {
        ++parked;
        release.recv();
      });
    }
    yield_until([&] { return parked == n; });
    EXPECT_EQ(pirn::runtime::num_goroutine(), n + 1);
    release.close();
    wg.wait();
  });
}

// Go: TestNumGoroutine. A fresh program says 1.
TEST_P(go, counts_goroutines) {
  run([] {
    EXPECT_EQ(pirn::runtime::num_goroutine(), 1);
    pirn::chan<void> release;
    for (int i = 1; i <= 10; ++i) {
      pirn::go([release] { release.recv(); });
      EXPECT_EQ(pirn::runtime::num_goroutine(), i + 1);
    }
    release.close();
  });
}

TEST_P(go, gives_every_goroutine_a_number_of_its_own) {
  run([] {
    EXPECT_EQ(pirn::runtime::goid(), 1) << "main is goroutine 1";
    constexpr int k_goroutines = 500;
    pirn::chan<long> ids(k_goroutines);
    for (int i = 0; i < k_goroutines; ++i) {
      pirn::go([ids] {
        const auto before = pirn::runtime::goid();
        pirn::runtime::gosched();
        EXPECT_EQ(pirn::runtime::goid(), before) << "a goroutine keeps its number";
        ids.send(static_cast<long>(before));
      });
    }
    std::set<long> seen{1};
    for (int i = 0; i < k_goroutines; ++i) EXPECT_TRUE(seen.insert(ids.recv().value()).second);
  });
}

TEST_P(go, can_be_called_from_any_thread) {
  run([] {
    constexpr int k_threads = 4;
    const int each = scaled(1000);
    std::atomic<int> ran{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < k_threads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < each; ++i) pirn::go([&] { ++ran; });
      });
    }
    for (auto& t : threads) join(t);
    yield_until([&] { return ran == k_threads * each; });
  });
}

TEST_P(go, from_a_plain_thread_wakes_an_idle_runtime) {
  run([] {
    for (int i = 0; i < 20; ++i) {
      pirn::chan<int> c;
      std::thread t([&] { pirn::go([c, i] { c.send(i); }); });
      EXPECT_EQ(c.recv(), i);
      join(t);
    }
  });
}

TEST(go_outside_a_run, throws_logic_error_that_says_so) {
  const auto expect_refusal = [] {
    bool ran = false;
    try {
      pirn::go([&] { ran = true; });
      ADD_FAILURE() << "go() accepted a goroutine with no runtime";
    } catch (const std::logic_error& e) {
      EXPECT_NE(std::string(e.what()).find("run"), std::string::npos) << e.what();
    }
    EXPECT_FALSE(ran);
  };
  expect_refusal();
  std::thread(expect_refusal).join();
  pirn::run([] {});
  expect_refusal();
  std::thread(expect_refusal).join();
  EXPECT_THROW(pirn::spawn([] { return 1; }), std::logic_error);
}

// Takes `bytes` of stack in frames of about 2 KiB, with a park at the bottom.
[[gnu::noinline]] int use_stack(long bytes) {
  volatile char frame[2048];
  frame[0] = static_cast<char>(bytes);
  frame[sizeof frame - 1] = 1;
  if (bytes <= 0) {
    pirn::runtime::gosched();
    return frame[sizeof frame - 1];
  }
  return use_stack(bytes - 2048 - 64) + frame[sizeof frame - 1] - 1;
}

TEST_P(go, gives_the_stack_size_asked_for) {
  run([] {
    for (const std::size_t kib : {16, 17, 64, 65, 100, 256, 257, 1000, 1024, 8192, 8193, 65536}) {
      const std::size_t size = kib * 1024;
      pirn::chan<int> out;
      // Sanitized frames are several times as large.
      const long use = static_cast<long>(k_asan || k_tsan ? size / 8 : size / 2);
      pirn::go(pirn::spawn_options{.name = "deep", .stack_size = size}, [out, use] { out.send(use_stack(use)); });
      EXPECT_EQ(out.recv(), 1) << kib << " KiB";
    }
  });
}

TEST_P(go, rounds_small_stack_sizes_up_and_takes_zero_for_the_default) {
  run([] {
    for (const std::size_t size : {0, 1, 100, 4096, 16383}) {
      pirn::chan<int> out;
      pirn::go(pirn::spawn_options{.name = {}, .stack_size = size}, [out] { out.send(use_stack(0)); });
      EXPECT_EQ(out.recv(), 1) << size;
    }
    pirn::chan<int> out;
    pirn::go(pirn::spawn_options{}, [out] { out.send(use_stack(k_asan || k_tsan ? 32 << 10 : 192 << 10)); });
    EXPECT_EQ(out.recv(), 1);
  });
}

TEST_P(go, refuses_stack_sizes_that_cannot_be) {
  run([] {
    for (const std::size_t size : {std::size_t{1} << 47, std::size_t{1} << 62, std::numeric_limits<std::size_t>::max(),
                                   std::numeric_limits<std::size_t>::max() - 4095}) {
      bool refused = false;
      try {
        pirn::go(pirn::spawn_options{.name = {}, .stack_size = size}, [] {});
      } catch (const std::invalid_argument&) {
        refused = true;
      } catch (const std::bad_alloc&) {
        refused = true;
      } catch (const std::system_error&) {
        refused = true;
      }
      EXPECT_TRUE(refused) << size;
      EXPECT_EQ(pirn::runtime::num_goroutine(), 1) << "a refused goroutine counts";
    }
    EXPECT_EQ(pirn::spawn([] { return 2; }).get(), 2) << "the runtime is untouched by it";
  });
}

TEST_P(go, holds_stacks_of_many_sizes_at_once) {
  run([] {
    pirn::chan<void> release;
    pirn::wait_group wg;
    for (int round = 0; round < 20; ++round) {
      for (const std::size_t kib : {16, 64, 256, 1024, 8192, 16384}) {
        wg.add(1);
        pirn::go(pirn::spawn_options{.name = {}, .stack_size = kib * 1024}, [&] {
          use_stack(1000);
          release.recv();
          use_stack(1000);
          wg.done();
        });
      }
    }
    let_others_run();
    release.close();
    wg.wait();
  });
}

// Go: TestStealOrder's purpose, seen from outside: work of one P reaches the others, nothing is lost or runs twice.
TEST_P(go, runs_each_exactly_once_under_stealing) {
  run([] {
    const int n = scaled(20000);
    std::vector<std::atomic<int>> times(static_cast<std::size_t>(n));
    pirn::wait_group wg;
    wg.add(n);
    for (int i = 0; i < n; ++i) {
      pirn::go([&, i] {
        if (i % 7 == 0) pirn::runtime::gosched();
        ++times[static_cast<std::size_t>(i)];
        wg.done();
      });
    }
    wg.wait();
    for (auto& t : times) ASSERT_EQ(t, 1);
  });
}

}  // namespace
