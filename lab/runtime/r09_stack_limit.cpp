// R09: a parser that recurses without end on a malformed input. With a stack of 1 GiB it eats the memory before it
// dies; with set_max_stack(8 MiB) it ends at once.
#include <pirn/pirn.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "support/probe.h"
#include "support/trial.h"

namespace lab {
namespace {

constexpr std::size_t k_stack = std::size_t{1} << 30;
constexpr double k_mib = 1 << 20;
constexpr int k_limit_mib = 8;

// What the probe writes on its way, straight to the descriptor: it does not come to an orderly end.
void note(double depth_mib, double ms) {
  const std::string line = text("depth_mib %.1f\nlast_ms %.2f\n", depth_mib, ms);
  require(write(STDOUT_FILENO, line.data(), line.size()) == static_cast<ssize_t>(line.size()), "stdout");
}

struct descent {
  const char* top;
  stopwatch watch;
  std::uint64_t open_brackets;  // in the input: more than any stack is deep
  double noted_mib = 0;
};

// The parser: a frame of some KiB for each open bracket.
[[gnu::noinline]] int parse(descent& d, int depth) {
  char tokens[4000];
  char* here = tokens;
  opaque(here);
  here[0] = static_cast<char>(depth);
  const double used = static_cast<double>(d.top - here) / k_mib;
  if (used >= d.noted_mib + 0.5) {
    note(used, d.watch.ms());
    d.noted_mib = used;
  }
  if (--d.open_brackets == 0) return depth;
  const int inner = parse(d, depth + 1);
  return inner + here[0];
}

// Argument: the limit in MiB, 0 for none.
int probe(arguments args) {
  const int limit_mib = int_argument(args, 0);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  return pirn::run([=] {
    if (limit_mib > 0) pirn::runtime::set_max_stack(static_cast<std::size_t>(limit_mib) << 20);
    pirn::wait_group wg;
    wg.add(1);
    pirn::go({"parser", k_stack}, [&wg] {
      char top = 0;
      descent d{&top, {}, std::numeric_limits<std::uint64_t>::max()};
      parse(d, 0);
      wg.done();
    });
    wg.wait();
  });
}

double available_mib() {
  std::ifstream in("/proc/meminfo");
  for (std::string name, unit; in >> name;) {
    double kib = 0;
    in >> kib;
    std::getline(in, unit);
    if (name == "MemAvailable:") return kib / 1024;
  }
  throw probe_error("no MemAvailable in /proc/meminfo");
}

struct death {
  double depth_mib;
  double ms;  // until the last it noted
  double whole_ms;
};

// In bytes, as the report of the overflow says; 0 when it does not.
double limit_said(const std::string& report) {
  const std::string before = "runtime: goroutine stack exceeds ";
  const std::size_t at = report.find(before);
  if (at == std::string::npos || report.find("fatal error: stack overflow") == std::string::npos) return 0;
  return std::strtod(report.c_str() + at + before.size(), nullptr);
}

death run_into_the_end(trial& t, int limit_mib, double least_said, double most_said) {
  const stopwatch watch;
  const process_result result = t.attempt({std::to_string(limit_mib)});
  const double whole = watch.ms();
  const std::string name = limit_mib == 0 ? "no_limit_" : "limited_";
  const readings seen = readings::parse(result.out);
  const death d{seen.number("depth_mib"), seen.number("last_ms"), whole};
  t.measured(name + "depth_mib", d.depth_mib);
  t.measured(name + "ms", d.ms);
  t.measured(name + "process_ms", d.whole_ms);
  t.measured(name + "exit_status", static_cast<double>(result.exit_status));
  t.check(result.exit_status == 2, text("exit status %d", result.exit_status));
  const double said = limit_said(result.err);
  t.check(said >= least_said && said <= most_said, text("reports the overflow of a stack of %.0f bytes", said));
  return d;
}

void judge(trial& t) {
  if (available_mib() < 2048) return t.skip(text("%.0f MiB of memory available, 2048 needed", available_mib()));
  t.ran("recursion without end on a stack of 1 GiB, and again with set_max_stack(8 MiB)");
  // Sizes are rounded up, to whole pages and by what lies on top of a stack.
  const death slow = run_into_the_end(t, 0, k_stack, k_stack + 65536.0);
  const death limited = run_into_the_end(t, k_limit_mib, k_limit_mib * k_mib, k_limit_mib * k_mib);
  t.check(slow.depth_mib * k_mib >= 500e6, text("without a limit it dies %.0f MiB deep", slow.depth_mib));
  t.check_at_most("with the limit it is", limited.depth_mib, k_limit_mib, "MiB deep");
  t.check_at_most("after", limited.ms, 100, "ms");
  t.check_at_most("the process and its report", limited.whole_ms, 1000, "ms");
}

const registration entry_r09(entry{
    .id = "R09",
    .title = "A limit for stacks",
    .seed = k_runtime_document,
    .target = "a stack of 1 GiB runs to >= 500 MB; with a limit of 8 MiB it ends in ms with the message, exit status 2",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
