// Goroutine stacks: alignment, what they keep across parks, reuse, what goes back to the system, and the guards.
// Stack sizes as an argument of go() are in sched/go_test.cpp, running out of memory in
// death/out_of_resources_test.cpp. Layer: tests of src/g, through the public headers.
#include <alloca.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

class stack : public on_procs {};
PIRN_TEST_ON_PROCS(stack);

pirn::spawn_options with_stack(std::size_t bytes) {
  pirn::spawn_options o;
  o.stack_size = bytes;
  return o;
}

TEST_P(stack, is_aligned_as_the_abi_asks) {
  run([] {
    const auto check = [] {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) % 16, 0u);
      alignas(64) volatile char aligned[64] = {};
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&aligned) % 64, 0u);
    };
    check();
    for (const std::size_t size : {0, 16 << 10, 64 << 10, 1 << 20, 8 << 20, 32 << 20}) {
      pirn::spawn(with_stack(size), check).get();
    }
    // Consecutive stacks start at different offsets.
    for (int i = 0; i < 100; ++i) pirn::spawn(check).get();
  });
}

// Fills frames with a pattern, parks at the bottom, and checks them on the way back.
[[gnu::noinline]] bool keeps_its_frames(int depth, unsigned char seed) {
  volatile unsigned char frame[1000];
  for (std::size_t i = 0; i < sizeof frame; ++i) frame[i] = static_cast<unsigned char>(seed + i);
  if (depth == 0) {
    let_others_run(3);
  } else if (!keeps_its_frames(depth - 1, static_cast<unsigned char>(seed + 13))) {
    return false;
  }
  for (std::size_t i = 0; i < sizeof frame; ++i) {
    if (frame[i] != static_cast<unsigned char>(seed + i)) return false;
  }
  return true;
}

TEST_P(stack, keeps_what_is_on_it_across_parks) {
  run([] {
    std::vector<pirn::join_handle<bool>> all;
    for (int i = 0; i < 100; ++i) all.push_back(pirn::spawn(keeps_its_frames, i % 40, static_cast<unsigned char>(i)));
    for (auto& h : all) EXPECT_TRUE(h.get());
  });
}

TEST_P(stack, keeps_what_is_on_it_while_others_come_and_go) {
  run([] {
    std::vector<pirn::join_handle<bool>> parked;
    for (int i = 0; i < 20; ++i) parked.push_back(pirn::spawn(keeps_its_frames, 30, static_cast<unsigned char>(i)));
    for (int i = 0; i < scaled(3000); ++i) {
      pirn::go([] {
        volatile char dirt[3000];
        for (std::size_t k = 0; k < sizeof dirt; ++k) dirt[k] = static_cast<char>(0xee);
      });
      if (i % 100 == 0) pirn::runtime::gosched();
    }
    for (auto& h : parked) EXPECT_TRUE(h.get());
  });
}

// Values that live in callee-saved and vector registers across a park.
TEST_P(stack, keeps_registers_across_parks) {
  run([] {
    std::vector<pirn::join_handle<bool>> all;
    for (int g = 0; g < 20; ++g) {
      all.push_back(pirn::spawn([g] {
        std::uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
        double x = 0.5 + g, y = 0.25, z = 4.0;
        for (int i = 0; i < 200; ++i) {
          a += b * 3;
          b ^= c + static_cast<std::uint64_t>(g);
          c += d << 3;
          d = e * f + a;
          e += 7;
          f ^= e;
          x = x * 1.0000001 + y;
          y = y * 0.999999 + z / 1000;
          z += 0.125;
          if (i % 2 == 0) pirn::runtime::gosched();
        }
        std::uint64_t a2 = 1, b2 = 2, c2 = 3, d2 = 4, e2 = 5, f2 = 6;
        double x2 = 0.5 + g, y2 = 0.25, z2 = 4.0;
        for (int i = 0; i < 200; ++i) {
          a2 += b2 * 3;
          b2 ^= c2 + static_cast<std::uint64_t>(g);
          c2 += d2 << 3;
          d2 = e2 * f2 + a2;
          e2 += 7;
          f2 ^= e2;
          x2 = x2 * 1.0000001 + y2;
          y2 = y2 * 0.999999 + z2 / 1000;
          z2 += 0.125;
        }
        return a == a2 && b == b2 && c == c2 && d == d2 && e == e2 && f == f2 && x == x2 && y == y2 && z == z2;
      }));
    }
    for (auto& h : all) EXPECT_TRUE(h.get());
  });
}

TEST_P(stack, may_grow_at_run_time) {
  run([] {
    pirn::spawn([] {
      for (std::size_t n = 16; n <= 32768; n *= 2) {
        auto* block = static_cast<char*>(alloca(n));
        std::memset(block, 1, n);
        pirn::runtime::gosched();
        ASSERT_EQ(block[n - 1], 1);
      }
    }).get();
  });
}

TEST_P(stack, can_call_what_needs_a_deep_one) {
  run([] {
    char text[64];
    std::snprintf(text, sizeof text, "%Lf %a %s", 1.25L, 2.5, "three");
    EXPECT_EQ(pirn::spawn([] {
                char inner[64];
                std::snprintf(inner, sizeof inner, "%Lf %a %s", 1.25L, 2.5, "three");
                return std::string(inner);
              }).get(),
              text);
  });
}

std::size_t resident_bytes() {
  std::size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

[[gnu::noinline]] void touch(std::size_t bytes) {
  auto* block = static_cast<volatile char*>(alloca(bytes));
  for (std::size_t i = 0; i < bytes; i += 4096) block[i] = 1;
}

// 300 MiB of stack pages are touched; what stays after the goroutines ended must be far less.
TEST(stack_memory, goes_back_to_the_system) {
  if (k_asan || k_tsan) GTEST_SKIP() << "resident memory is mostly the sanitizer's";
  run_on(2, [] {
    constexpr int k_goroutines = 50;
    constexpr std::size_t k_touched = 6 << 20;
    const auto use_stacks = [&] {
      const pirn::chan<void> release;
      pirn::wait_group wg;
      std::atomic<int> touched{0};
      for (int i = 0; i < k_goroutines; ++i) {
        wg.add(1);
        pirn::go(with_stack(8 << 20), [&] {
          touch(k_touched);
          ++touched;
          release.recv();
          wg.done();
        });
      }
      yield_until([&] { return touched == k_goroutines; });
      release.close();
      wg.wait();
      expect_no_other_goroutine();
    };
    const std::size_t before = resident_bytes();
    use_stacks();
    const std::size_t after = resident_bytes();
    EXPECT_LT(after, before + k_goroutines * k_touched / 2) << "the stacks of ended goroutines stay resident";
  });
}

TEST(stack_memory, of_short_goroutines_is_that_of_those_that_run_at_once) {
  if (k_asan || k_tsan) GTEST_SKIP() << "resident memory is mostly the sanitizer's";
  run_on(1, [] {
    constexpr int k_goroutines = 20000;
    const std::size_t before = resident_bytes();
    pirn::wait_group wg;
    wg.add(k_goroutines);
    for (int i = 0; i < k_goroutines; ++i) {
      pirn::go([&] {
        touch(16 << 10);
        wg.done();
      });
    }
    wg.wait();
    // With a stack each it would be 320 MiB.
    EXPECT_LT(resident_bytes(), before + (80u << 20));
  });
}

volatile int no_such_depth = -1;  // volatile: to the compiler the recursion may end

[[gnu::noinline]] int recurse_for_ever(int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  if (depth == no_such_depth) return 0;
  return recurse_for_ever(depth + 1) + frame[0];
}

PIRN_CHILD(overflow) {
  std::atomic<bool> neighbours_intact{true};
  pirn::run(with_procs(1), [&] {
    const pirn::chan<void> release;
    for (int i = 0; i < 20; ++i) {
      pirn::go(with_stack(64 << 10), [&, release] {
        if (!keeps_its_frames(20, 7)) neighbours_intact = false;
        release.recv();
      });
    }
    let_others_run(20);
    pirn::spawn(with_stack(64 << 10), [] { return recurse_for_ever(0); }).get();
  });
  std::printf("the overflow went unnoticed\n");
  return 0;
}

// Go: TestStackOverflow, as far as the guard: the process ends there and then.
TEST(stack_guard, stops_an_overflow) {
  const auto result = run_child("overflow");
  EXPECT_TRUE(result.signal != 0 || result.exit_code != 0) << result.describe();
  EXPECT_EQ(result.output.find("unnoticed"), std::string::npos) << result.describe();
  EXPECT_NE(result.signal, SIGALRM) << "a hang";
}

}  // namespace
