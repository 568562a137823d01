// The lines of schedtrace and scheddetail have Go's format and tell what is so. Layer: tests, through the environment.
// Golden outputs: go-schedtrace, go-scheddetail.
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/child.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;

const std::string k_begin =
    R"(SCHED (\d+)ms: gomaxprocs=2 idleprocs=(\d+) threads=(\d+) spinningthreads=\d+ needspinning=0 idlethreads=\d+ runqueue=\d+ )";
const std::regex k_line(k_begin + R"(\[ \d+ \d+ \] schedticks=\[ \d+ \d+ \])");
const std::regex k_detail(k_begin + R"(gcwaiting=false nmidlelocked=\d+ stopwait=0 sysmonwait=(true|false))");
const std::regex k_p(
    R"(  P[01]: status=[01] schedtick=\d+ syscalltick=\d+ m=(nil|\d+) runqsize=\d+ gfreecnt=\d+ timerslen=\d+)");
const std::regex k_m(R"(  M\d+: p=(nil|[01]) curg=(nil|\d+) mallocing=0 throwing=0 preemptoff= locks=[01] dying=0 )"
                     R"(spinning=(true|false) blocked=(true|false) lockedg=(nil|\d+))");
const std::regex k_g(R"(  G\d+: status=(1\(\)|2\(\)|3\(\)|4\([^)]+(\([^)]*\))?\)) m=(nil|\d+) lockedm=(nil|\d+))");

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

PIRN_CHILD(sleeps) {
  return pirn::run(with_procs(2), [] { pirn::sleep_for(120ms); });
}

TEST(schedtrace, writes_a_line_at_the_start_and_then_every_so_often) {
  for (const char* variable : {"PIRN_DEBUG", "GODEBUG"}) {
    const auto result = run_child("sleeps", {{variable, "gctrace=1,schedtrace=20"}});
    EXPECT_EQ(result.exit_code, 0) << result.describe();
    const auto lines = lines_of(result.output);
    EXPECT_GE(lines.size(), 3u) << result.describe();
    int last = -1;
    for (const std::string& line : lines) {
      std::smatch m;
      ASSERT_TRUE(std::regex_match(line, m, k_line)) << line;
      EXPECT_GE(std::stoi(m[1]), last) << result.describe();
      last = std::stoi(m[1]);
    }
  }
}

TEST(schedtrace, is_off_unless_it_is_asked_for) {
  EXPECT_EQ(run_child("sleeps").output, "");
  EXPECT_EQ(run_child("sleeps", {{"PIRN_DEBUG", "schedtrace=0"}, {"GODEBUG", "schedtrace=10"}}).output, "")
      << "what PIRN_DEBUG says counts";
}

PIRN_CHILD(blocks) {
  return pirn::run(with_procs(2), [] {
    pirn::go([] {
      pirn::runtime::lock_os_thread();
      pirn::sleep_for(10s);
    });
    pirn::go([] {
      pirn::runtime::blocking([] { std::this_thread::sleep_for(150ms); });
      std::_Exit(0);
    });
    pirn::chan<int>(nullptr).recv();
  });
}

// A P handed off during a system call: its thread has a goroutine in state 3 and no P.
TEST(scheddetail, shows_every_P_M_and_G) {
  const auto result = run_child("blocks", {{"PIRN_DEBUG", "schedtrace=20,scheddetail=1"}});
  EXPECT_EQ(result.exit_code, 0) << result.describe();
  int ps = 0, in_syscall = 0, without_p = 0, main_waits = 0, bound = 0;
  for (const std::string& line : lines_of(result.output)) {
    const bool known = std::regex_match(line, k_detail) || std::regex_match(line, k_p) || std::regex_match(line, k_m) ||
                       std::regex_match(line, k_g);
    EXPECT_TRUE(known) << line;
    if (std::regex_match(line, k_p)) ++ps;
    if (std::regex_search(line, std::regex(R"(  G\d+: status=3\(\) m=\d+ lockedm=\d+)"))) ++in_syscall;
    if (std::regex_search(line, std::regex(R"(  M\d+: p=nil curg=\d+ )"))) ++without_p;
    if (line.rfind("  G1: status=4(chan receive (nil chan)) m=nil lockedm=nil", 0) == 0) ++main_waits;
    if (std::regex_search(line, std::regex(R"(status=4\(sleep\) m=nil lockedm=\d+)"))) ++bound;
  }
  EXPECT_GT(ps, 0);
  EXPECT_GT(in_syscall, 0) << result.describe();
  EXPECT_GT(without_p, 0) << result.describe();
  EXPECT_GT(main_waits, 0) << result.describe();
  EXPECT_GT(bound, 0) << result.describe();
}

}  // namespace
