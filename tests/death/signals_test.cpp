// Signals that end a program say which goroutine and where; those that belong to the program reach it.
// Layer: tests, through the public headers. Golden report: go-stack-overflow.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <regex>
#include <string>
#include <thread>

#include "support/child.h"
#include "support/report.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

volatile int sink = 0;

[[gnu::noinline]] int recurses(int n) {
  volatile char room[512];
  room[0] = static_cast<char>(n);
  return n == -1 ? 0 : recurses(n + 1) + room[0];
}

int compares(const void*, const void*) {
  int two[2] = {2, 1};
  qsort(two, 2, sizeof two[0], compares);
  return sink;
}

PIRN_CHILD(overflow_of_main) {
  return pirn::run(with_procs(1), [] { sink = recurses(0); });
}
PIRN_CHILD(overflow_of_another) {
  return pirn::run(with_procs(2), [] {
    pirn::go([] { sink = recurses(0); });
    pirn::chan<int>().recv();
  });
}
PIRN_CHILD(overflow_in_a_library) {
  return pirn::run(with_procs(1), [] { compares(nullptr, nullptr); });
}
PIRN_CHILD(overflow_beside_a_handler) {
  signal(SIGSEGV, [](int) { _exit(3); });
  return pirn::run(with_procs(1), [] { sink = recurses(0); });
}
PIRN_CHILD(overflow_of_a_limited_stack) {
  return pirn::run(with_procs(1), [] {
    pirn::runtime::set_max_stack(std::size_t{1} << 20);
    pirn::go({"", std::size_t{1} << 30}, [] { sink = recurses(0); });
    pirn::chan<int>().recv();
  });
}
PIRN_CHILD(overflow_while_blocking) {
  return pirn::run(with_procs(1), [] { pirn::runtime::blocking([] { sink = recurses(0); }); });
}

std::string overflow_pattern(const std::string& limit) {
  return "runtime: goroutine stack exceeds " + limit +
         "-byte limit\n"
         "runtime: sp=0x[0-9a-f]+ stack=\\[0x[0-9a-f]+, 0x[0-9a-f]+\\]\n"
         "fatal error: stack overflow\n\n";
}

void expect_overflow(const std::string& child, const std::string& function, const std::string& limit = "\\d+") {
  const auto result = run_child(child);
  EXPECT_EQ(result.exit_code, 2) << child << ": " << result.describe();
  const report_text r = parse_report(result.output);
  EXPECT_TRUE(r.well_formed) << r.malformed << " in " << result.describe();
  EXPECT_TRUE(std::regex_match(r.message, std::regex(overflow_pattern(limit)))) << child << ": " << r.message;
  ASSERT_EQ(r.blocks.size(), 2u) << result.describe();
  EXPECT_EQ(r.blocks[0].header, "runtime stack:");
  EXPECT_TRUE(std::regex_match(r.blocks[1].header,
                               std::regex(R"(goroutine \d+ gp=0x[0-9a-f]+ m=\d+ mp=0x[0-9a-f]+ \[running.*\]:)")))
      << r.blocks[1].header;
  EXPECT_TRUE(r.blocks[1].shows(function)) << child << ": " << result.describe();
  EXPECT_NE(r.blocks[1].elided, "");
}

TEST(stack_overflow, is_reported_with_the_limit_and_the_stack) {
  expect_overflow("overflow_of_main", "recurses(int)");
  expect_overflow("overflow_of_another", "recurses(int)");
  expect_overflow("overflow_while_blocking", "recurses(int)");
}
TEST(stack_overflow, under_a_library_that_has_no_frame_pointers_is_walked_through) {
  expect_overflow("overflow_in_a_library", "compares(");
}
TEST(stack_overflow, is_nobody_elses_fault_whoever_has_a_handler) {
  expect_overflow("overflow_beside_a_handler", "recurses(int)");
}
TEST(stack_overflow, comes_at_the_limit_that_set_max_stack_sets) {
  expect_overflow("overflow_of_a_limited_stack", "recurses(int)", "1048576");
}

TEST(set_max_stack, returns_what_held_before) {
  const std::size_t at_first = pirn::runtime::set_max_stack(1 << 20);
  EXPECT_EQ(pirn::runtime::set_max_stack(at_first), std::size_t{1} << 20);
  EXPECT_THROW(pirn::runtime::set_max_stack(0), std::invalid_argument);
}

int* volatile nowhere = nullptr;
volatile int zero = 0;
[[gnu::noinline]] void writes_nowhere() { *nowhere = 1; }
[[gnu::noinline]] void divides_by_zero() { sink = sink / zero; }

PIRN_CHILD(null_write) {
  return pirn::run(with_procs(2), [] {
    pirn::go([] { writes_nowhere(); });
    pirn::chan<int>().recv();
  });
}
PIRN_CHILD(division) {
  return pirn::run(with_procs(2), [] {
    pirn::go([] { divides_by_zero(); });
    pirn::chan<int>().recv();
  });
}

#ifndef __SANITIZE_ADDRESS__  // it reports faults itself
TEST(a_fault, in_user_code_names_the_goroutine_and_its_stack) {
  const auto result = run_child("null_write");
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  const report_text r = parse_report(result.output);
  EXPECT_TRUE(std::regex_match(
      r.message, std::regex("panic: runtime error: invalid memory address or nil pointer dereference\n"
                            "\\[signal SIGSEGV: segmentation violation code=0x[12] addr=0x0 pc=0x[0-9a-f]+\\]\n\n")))
      << result.describe();
  ASSERT_EQ(r.blocks.size(), 1u);
  EXPECT_TRUE(std::regex_match(r.blocks[0].header, std::regex(R"(goroutine \d+ \[running\]:)")));
  ASSERT_FALSE(r.blocks[0].functions.empty());
  EXPECT_NE(r.blocks[0].functions[0].find("writes_nowhere()"), std::string::npos);
}

#if defined(__x86_64__)  // elsewhere a division by zero is no fault
TEST(a_fault, of_arithmetic_is_one_too) {
  const auto result = run_child("division");
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  EXPECT_EQ(result.output.rfind("panic: runtime error: integer divide error\n[signal SIGFPE: ", 0), 0u)
      << result.describe();
}
#endif

PIRN_CHILD(fault_on_a_thread) {
  return pirn::run(with_procs(1), [] {
    std::thread t([] { writes_nowhere(); });
    pirn_test::join(t);
  });
}
PIRN_CHILD(sent_by_kill) {
  return pirn::run(with_procs(1), [] { raise(SIGSEGV); });
}
TEST(a_fault, that_is_no_goroutines_is_left_to_the_system) {
  EXPECT_EQ(run_child("fault_on_a_thread").signal, SIGSEGV);
  EXPECT_EQ(run_child("sent_by_kill").signal, SIGSEGV);
}
#endif

// A program that owns SIGSEGV: its handler makes the page accessible and the access is done again.
char* page = nullptr;
void make_accessible(int, siginfo_t* info, void*) {
  if (info->si_addr != page) _exit(4);
  mprotect(page, 4096, PROT_READ | PROT_WRITE);
}
void own_the_signal() {
  page = static_cast<char*>(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  struct sigaction action {};
  action.sa_sigaction = make_accessible;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
}
PIRN_CHILD(owned_before) {
  own_the_signal();
  return pirn::run(with_procs(1), [] {
    *page = 7;
    return static_cast<int>(*page);
  });
}
PIRN_CHILD(owned_during) {
  return pirn::run(with_procs(1), [] {
    own_the_signal();
    *page = 7;
    return static_cast<int>(*page);
  });
}
TEST(a_fault, of_a_program_that_handles_it_itself_is_its_own) {
  for (const char* child : {"owned_before", "owned_during"}) {
    const auto result = run_child(child);
    EXPECT_EQ(result.exit_code, 7) << child << ": " << result.describe();
  }
}

TEST(handlers, of_the_time_before_a_run_are_back_after_it) {
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGURG}) {
    struct sigaction before {};
    struct sigaction after {};
    sigaction(number, nullptr, &before);
    pirn::run([] {});
    sigaction(number, nullptr, &after);
    EXPECT_EQ(before.sa_sigaction, after.sa_sigaction) << number;
  }
  stack_t s{};
  sigaltstack(nullptr, &s);
  EXPECT_EQ((s.ss_flags & SS_DISABLE) != 0, !k_asan);
}

std::atomic<bool> reading{false};
[[gnu::noinline]] void reads(int descriptor) {
  char c = 0;
  reading = true;
  sink = static_cast<int>(read(descriptor, &c, 1));  // goes on after a signal, as a sleep would not
}
[[gnu::noinline]] void computes() {
  for (;;) sink = sink + 1;
}
[[gnu::noinline]] void waits(const pirn::chan<int>& c) {
  c.recv();
  sink = 1;
}
PIRN_CHILD(quit) {
  return pirn::run(with_procs(2), [] {
    const pirn::chan<int> c;
    int silent[2];
    if (pipe(silent) != 0) return;
    pirn::go(waits, c);
    pirn::go([&silent] { pirn::runtime::blocking([&silent] { reads(silent[0]); }); });
    yield_until([] { return reading.load(); });
    pirn::go([] { computes(); });
    std::thread([] {
      std::this_thread::sleep_for(50ms);
      kill(getpid(), SIGQUIT);
    }).detach();
    computes();
  });
}
TEST(sigquit, prints_every_goroutine_and_ends_the_process) {
  const auto result = run_child("quit");
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  const report_text r = parse_report(result.output);
  EXPECT_TRUE(std::regex_match(r.message, std::regex("SIGQUIT: quit\nPC=0x[0-9a-f]+ m=-?\\d+ sigcode=0\n\n")))
      << result.describe();
  EXPECT_EQ(r.blocks.size(), 4u) << result.describe();
  int computing = 0;
  bool waiting = false;
  bool is_reading = false;
  for (const report_block& b : r.blocks) {
    if (b.shows("computes()")) ++computing;
    if (b.header.find("[chan receive]") != std::string::npos && b.shows("waits(")) waiting = true;
    if (b.header.find("[syscall, locked to thread]") != std::string::npos && b.shows("reads(int)")) is_reading = true;
  }
  EXPECT_EQ(computing, 2) << result.describe();
  EXPECT_TRUE(waiting && is_reading) << result.describe();
}

PIRN_CHILD(quit_while_idle) {
  return pirn::run(with_procs(2), [] {
    std::thread([] {
      std::this_thread::sleep_for(100ms);
      kill(getpid(), SIGQUIT);
    }).detach();
    waits(pirn::chan<int>());
  });
}
TEST(sigquit, reaches_an_idle_process) {
  const auto result = run_child("quit_while_idle");
  EXPECT_EQ(result.exit_code, 2) << result.describe();
  EXPECT_NE(result.output.find("\n\ngoroutine 1 [chan receive]:\n"), std::string::npos) << result.describe();
}

PIRN_CHILD(quit_is_handled) {
  signal(SIGQUIT, [](int) { _exit(6); });
  return pirn::run(with_procs(1), [] {
    raise(SIGQUIT);
    waits(pirn::chan<int>());
  });
}
TEST(sigquit, of_a_program_that_handles_it_is_its_own) { EXPECT_EQ(run_child("quit_is_handled").exit_code, 6); }

}  // namespace
