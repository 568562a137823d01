// The walker of stacks against the C++ runtime's own unwinder, and on copies. Layer: tests, white-box.
#include "os/unwind.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unwind.h>

#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

using pirn::rt::registers_here;
using pirn::rt::registers_of;
using pirn::rt::stack_frame;
using pirn::rt::stack_view;
using pirn::rt::stack_walk;

const std::uintptr_t a_word = 42;
bool can_read_anywhere() {
  std::uintptr_t value = 0;
  return stack_view::anywhere().read(reinterpret_cast<std::uintptr_t>(&a_word), value) && value == a_word;
}

// What both make of one stack: pcs of the callers of the function that calls it, outwards.
std::vector<std::uintptr_t> ours;
std::vector<std::uintptr_t> theirs;

_Unwind_Reason_Code note(_Unwind_Context* c, void*) {
  theirs.push_back(_Unwind_GetIP(c));
  return _URC_NO_REASON;
}

[[gnu::noinline]] void walk_both() {
  ours.clear();
  theirs.clear();
  stack_walk walk(registers_here(), stack_view::anywhere(), false);
  stack_frame f;
  while (walk.next(f)) ours.push_back(f.pc);
  _Unwind_Backtrace(note, nullptr);
}

void expect_the_same() {
  // The innermost is walk_both() itself, at two calls of its.
  ASSERT_GT(ours.size(), 3u);
  while (!theirs.empty() && theirs.back() == 0) theirs.pop_back();
  while (!ours.empty() && ours.back() == 0) ours.pop_back();
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 1; i < ours.size(); ++i) EXPECT_EQ(ours[i], theirs[i]) << "frame " << i;
}

volatile int sink = 0;

[[gnu::noinline]] int deep(int n) {
  volatile char room[100];
  room[0] = static_cast<char>(n);
  if (n == 0) {
    walk_both();
    return 1;
  }
  return deep(n - 1) + room[0];
}

TEST(stack_walk, finds_the_frames_that_the_runtimes_own_unwinder_finds) {
  if (!can_read_anywhere()) GTEST_SKIP() << "an emulator without process_vm_readv";
  sink = deep(20);
  expect_the_same();
}

TEST(stack_walk, passes_through_native_code) {
  if (!can_read_anywhere()) GTEST_SKIP() << "an emulator without process_vm_readv";
  int two[2] = {2, 1};
  qsort(two, 2, sizeof two[0], [](const void*, const void*) {
    walk_both();
    return 0;
  });
  expect_the_same();
}

// A frame of variable size, and one that is aligned beyond what the ABI asks for.
[[gnu::noinline]] void aligned_and_variable(int n) {
  alignas(64) volatile char aligned[64];
  auto* room = static_cast<volatile char*>(__builtin_alloca(static_cast<std::size_t>(n)));
  aligned[0] = 1;
  room[0] = 1;
  walk_both();
  const int both = aligned[0] + room[0];
  sink = both;
}
TEST(stack_walk, knows_frames_without_a_fixed_size) {
  if (!can_read_anywhere()) GTEST_SKIP() << "an emulator without process_vm_readv";
  aligned_and_variable(1000);
  expect_the_same();
}

TEST(stack_walk, passes_the_frame_of_a_signal) {
  if (!can_read_anywhere()) GTEST_SKIP() << "an emulator without process_vm_readv";
  constexpr std::size_t k_plenty = 1000;
  ours.reserve(k_plenty);  // nothing is allocated in the handler
  theirs.reserve(k_plenty);
  signal(SIGUSR1, [](int) { walk_both(); });
  raise(SIGUSR1);
  signal(SIGUSR1, SIG_DFL);
  expect_the_same();
}

// What a handler is given leads to the same callers as the interrupted function's own view.
std::vector<std::uintptr_t> from_context;
TEST(stack_walk, starts_from_the_registers_of_a_signal) {
  if (!can_read_anywhere()) GTEST_SKIP() << "an emulator without process_vm_readv";
  constexpr std::size_t k_plenty = 1000;
  from_context.reserve(k_plenty);  // nothing is allocated in the handler
  struct sigaction action {};
  action.sa_sigaction = [](int, siginfo_t*, void* c) {
    from_context.clear();
    stack_walk walk(registers_of(*static_cast<const ucontext_t*>(c)), stack_view::anywhere(), true);
    stack_frame f;
    while (walk.next(f)) from_context.push_back(f.pc);
  };
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGUSR1, &action, nullptr);
  raise(SIGUSR1);
  signal(SIGUSR1, SIG_DFL);
  walk_both();
  // main() and what calls it are common to both.
  ASSERT_GT(from_context.size(), 5u);
  ASSERT_GT(ours.size(), 5u);
  for (std::size_t i = 1; i <= 4; ++i) EXPECT_EQ(from_context[from_context.size() - i], ours[ours.size() - i]);
}

TEST(stack_walk, works_on_a_copy_and_ends_where_the_copy_ends) {
  if (!can_read_anywhere()) GTEST_SKIP() << "an emulator without process_vm_readv";
  const auto here = registers_here();
  constexpr std::size_t k_bytes = 6144;
  std::vector<char> copy(k_bytes);
  pirn::rt::copy_stack(copy.data(), reinterpret_cast<const char*>(here.sp()), k_bytes);
  stack_walk on_copy(here, {here.sp(), here.sp() + k_bytes, copy.data(), false}, false);
  stack_walk in_place(here, stack_view::anywhere(), false);
  stack_frame a;
  stack_frame b;
  std::size_t common = 0;
  while (on_copy.next(a)) {
    ASSERT_TRUE(in_place.next(b));
    EXPECT_EQ(a.pc, b.pc);
    ++common;
  }
  EXPECT_GT(common, 1u);
}

TEST(stack_walk, of_nonsense_ends_at_once) {
  pirn::rt::unwind_registers r;
  r.pc = 4096;
  r.set(pirn::rt::k_stack_pointer, 8);
  stack_walk walk(r, stack_view::anywhere(), true);
  stack_frame f;
  EXPECT_TRUE(walk.next(f));
  EXPECT_EQ(f.function, 0u);
  EXPECT_FALSE(walk.next(f));
}

}  // namespace
