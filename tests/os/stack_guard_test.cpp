// The guards of goroutine stacks in all forms that a kernel may force on us: by MADV_GUARD_INSTALL, by mprotect, and
// a canary in the place of one. Each form has children of its own, for the form is the process's, and a guard that
// works ends it. Layer: tests of src/os, white-box.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <regex>
#include <string>
#include <vector>

#include "os/stack_memory.h"
#include "sched/worker.h"
#include "support/child.h"
#include "support/proc.h"
#include "support/report.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using pirn::rt::guard_form;

constexpr std::size_t k_stack = 64 << 10;
constexpr int k_stacks = 64;

// Ours to look at in the handler of a child: the guard that is to be hit.
char* guard_low = nullptr;
char* guard_high = nullptr;

void tell_where(int, siginfo_t* info, void*) {
  const char* at = static_cast<char*>(info->si_addr);
  _exit(at >= guard_low && at < guard_high ? 42 : 43);
}

void catch_faults() {
  static char handler_stack[64 << 10];
  stack_t other{};
  other.ss_sp = handler_stack;
  other.ss_size = sizeof handler_stack;
  sigaltstack(&other, nullptr);
  struct sigaction action {};
  action.sa_sigaction = tell_where;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, nullptr);
}

volatile int no_such_depth = -1;  // volatile: to the compiler the recursion may end

[[gnu::noinline]] int recurse_for_ever(int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  if (depth == no_such_depth) return 0;
  return recurse_for_ever(depth + 1) + frame[0];
}

pirn::spawn_options small_stack() {
  pirn::spawn_options o;
  o.stack_size = 40 << 10;  // of the class of 64 KiB
  return o;
}

// Starts goroutines that all have a stack at once, then calls f on one of them.
template <class F>
int among_many(guard_form best, F f) {
  pirn::rt::limit_guard_form_for_test(best);
  return pirn::run(with_procs(1), [&] {
    const pirn::chan<void> release;
    pirn::wait_group wg;
    for (int i = 0; i < k_stacks; ++i) {
      wg.add(1);
      pirn::go(small_stack(), [&] {
        release.recv();
        wg.done();
      });
    }
    let_others_run();
    pirn::spawn(small_stack(), f).get();
    release.close();
    wg.wait();
  });
}

int overflow(guard_form best) {
  return among_many(best, [] {
    catch_faults();  // this thread's: there is one P
    const pirn::rt::stack& own = *pirn::rt::this_worker()->current->stk;
    guard_low = own.base;
    guard_high = own.base + pirn::rt::guard_size(own.bytes);
    recurse_for_ever(0);
  });
}

PIRN_CHILD(overflow_madvise) { return overflow(guard_form::madvise); }
PIRN_CHILD(overflow_mprotect) { return overflow(guard_form::mprotect); }

TEST(stack_guard, by_advice_stops_an_overflow_at_the_stacks_own_end) {
  if (k_asan) GTEST_SKIP() << "the sanitizer reports the overflow first";
  const auto result = run_child("overflow_madvise");
  EXPECT_EQ(result.exit_code, 42) << result.describe();
}

TEST(stack_guard, by_protection_stops_an_overflow_at_the_stacks_own_end) {
  if (k_asan) GTEST_SKIP() << "the sanitizer reports the overflow first";
  const auto result = run_child("overflow_mprotect");
  EXPECT_EQ(result.exit_code, 42) << result.describe();
}

int print_costs(guard_form best) {
  const int before = count_mappings();
  int with_stacks = 0;
  among_many(best, [&] { with_stacks = count_mappings(); });
  const auto unguarded = static_cast<unsigned long>(pirn::rt::unguarded_stacks());
  std::printf("%s mappings, %s unguarded\n", with_stacks - before >= k_stacks ? "many" : "few",
              unguarded == 0          ? "none"
              : unguarded >= k_stacks ? "all"
                                      : "some");
  return 0;
}

PIRN_CHILD(costs_madvise) { return print_costs(guard_form::madvise); }
PIRN_CHILD(costs_mprotect) { return print_costs(guard_form::mprotect); }
PIRN_CHILD(costs_none) { return print_costs(guard_form::none); }

// Whether this kernel knows guard regions (Linux 6.13), and means it.
bool kernel_has_guard_regions() {
  constexpr int k_install = 102, k_populate_read = 22;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* p = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool has = madvise(p, page, k_install) == 0 && madvise(p, page, k_populate_read) != 0;
  munmap(p, page);
  return has;
}

TEST(stack_guard, by_advice_takes_no_mappings) {
  if (k_tsan) GTEST_SKIP() << "the sanitizer's own mappings come and go beside";
  if (!kernel_has_guard_regions()) GTEST_SKIP() << "no MADV_GUARD_INSTALL here";
  EXPECT_EQ(run_child("costs_madvise").output, "few mappings, none unguarded\n");
}

TEST(stack_guard, by_advice_gives_way_to_protection_on_a_kernel_without) {
  if (kernel_has_guard_regions()) GTEST_SKIP() << "this kernel has MADV_GUARD_INSTALL";
  EXPECT_EQ(run_child("costs_madvise").output, "many mappings, none unguarded\n");
}

TEST(stack_guard, by_protection_takes_mappings) {
  EXPECT_EQ(run_child("costs_mprotect").output, "many mappings, none unguarded\n");
}

TEST(stack_guard, that_cannot_be_had_is_counted) {
  if (k_tsan) GTEST_SKIP() << "the sanitizer's own mappings come and go beside";
  EXPECT_EQ(run_child("costs_none").output, "few mappings, all unguarded\n");
}

enum class then { yield_below, yield_after, end };

void leave_the_stack() {
  pirn::go(small_stack(), [] {});  // alone it would come straight back
  pirn::runtime::gosched();
}

void tell_that_it_went_on() {
  std::printf("went on\n");
  std::fflush(stdout);
}

// Goes on until its frames lie in the place for the guard, no further, and comes back.
[[gnu::noinline]] int step_over(const char* low, then what) {
  volatile char frame[512];
  frame[0] = 1;
  const char* here = static_cast<const char*>(__builtin_frame_address(0));
  if (here > low - 2048) return step_over(low, what) + frame[0];
  if (what == then::yield_below) leave_the_stack();
  return frame[0];
}

int overflow_without_guard(then what) {
  return among_many(guard_form::none, [what] {
    step_over(pirn::rt::this_worker()->current->stk->usable_low(), what);
    if (what == then::yield_after) leave_the_stack();
    if (what != then::end) tell_that_it_went_on();
  });
}

PIRN_CHILD(canary_yield_below) { return overflow_without_guard(then::yield_below); }
PIRN_CHILD(canary_yield_after) { return overflow_without_guard(then::yield_after); }
PIRN_CHILD(canary_end) { return overflow_without_guard(then::end); }
PIRN_CHILD(canary_unhurt) {
  return among_many(guard_form::none, [] {
    const char* low = pirn::rt::this_worker()->current->stk->usable_low();
    step_over(low + (16 << 10), then::yield_below);  // a sanitizer needs some of it too
    tell_that_it_went_on();
  });
}

void expect_overflow_report(const std::string& child) {
  if (k_asan) GTEST_SKIP() << "the sanitizer reports the overflow first";
  const auto result = run_child(child);
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  const report_text r = parse_report(result.output);
  EXPECT_TRUE(r.well_formed) << r.malformed << " in " << result.describe();
  const std::regex message(
      "runtime: goroutine stack exceeds 49152-byte limit\n"
      "runtime: sp=0x[0-9a-f]+ stack=\\[0x[0-9a-f]+, 0x[0-9a-f]+\\]\n"
      "fatal error: stack overflow\n\n");
  EXPECT_TRUE(std::regex_match(r.message, message)) << result.describe();
  ASSERT_EQ(r.blocks.size(), 1u) << result.describe();
  EXPECT_NE(r.blocks[0].header.find(" [running]:"), std::string::npos) << r.blocks[0].header;
  if (child == "canary_yield_below") {
    EXPECT_TRUE(r.blocks[0].shows("step_over(")) << result.describe();
  }
  EXPECT_EQ(result.output.find("went on"), std::string::npos) << result.describe();
}

TEST(stack_canary, tells_of_a_goroutine_that_yields_out_of_bounds) { expect_overflow_report("canary_yield_below"); }
TEST(stack_canary, tells_of_a_goroutine_that_was_out_of_bounds_when_it_yields) {
  expect_overflow_report("canary_yield_after");
}
TEST(stack_canary, tells_of_a_goroutine_that_was_out_of_bounds_when_it_ends) { expect_overflow_report("canary_end"); }

TEST(stack_canary, says_nothing_of_a_goroutine_that_stayed_in_bounds) {
  const auto result = run_child("canary_unhurt");
  EXPECT_EQ(result.exit_code, 0) << result.describe();
  EXPECT_EQ(result.output, "went on\n") << result.describe();
}

// Straight at the memory: the guards are where they are said to be, and nowhere else.
TEST(stack_guard, takes_the_low_end_of_each_stack) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t guard = pirn::rt::guard_size(k_stack);
  if (guard % page != 0) GTEST_SKIP() << "pages of " << page << " bytes: no guard for so small a stack";
  char* base = pirn::rt::reserve_stack_memory(4 * k_stack);
  ASSERT_NE(base, nullptr);
  EXPECT_EQ(pirn::rt::guard_stacks(base, k_stack, 4), 4u);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  for (int i = 0; i < 4; ++i) {
    char* low = base + static_cast<std::size_t>(i) * k_stack;
    // The kernel reads for us: where it may not, it says so instead of ending the process.
    EXPECT_EQ(write(ends[1], low, 1), -1) << i;
    EXPECT_EQ(write(ends[1], low + guard - 1, 1), -1) << i;
    EXPECT_EQ(write(ends[1], low + guard, 1), 1) << i;
    EXPECT_EQ(write(ends[1], low + k_stack - 1, 1), 1) << i;
  }
  close(ends[0]);
  close(ends[1]);
  pirn::rt::release_stack_memory(base, 4 * k_stack);
}

}  // namespace
