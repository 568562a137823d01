// T14: read the scheduler's own trace of a running program, and find in it a P that was handed off while its goroutine
// was in a system call.
#include <pirn/pirn.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/forms.h"

namespace lab {
namespace {

using namespace std::chrono_literals;

void compute_for(std::chrono::milliseconds time) {
  const stopwatch watch;
  while (watch.ms() < static_cast<double>(time.count())) {
  }
}

// A goroutine that computes and then blocks in turns, and some that compute in small steps, on two Ps.
// Argument: MS that it lasts.
int probe(arguments args) {
  const double duration_ms = int_argument(args, 0);
  return pirn::run({.gomaxprocs = 2}, [=] {
    const stopwatch watch;
    each_worker(4, [&](int worker) {
      while (watch.ms() < duration_ms) {
        if (worker == 0) {
          compute_for(8ms);
          pirn::runtime::blocking([] { std::this_thread::sleep_for(20ms); });
        } else {
          compute_for(1ms);
          pirn::runtime::gosched();
        }
      }
    });
  });
}

// One line of the short form, or the head of a detailed one.
struct summary {
  double ms = 0;
  int gomaxprocs = 0;
  int threads = 0;
  int idle_threads = 0;
  int global_queue = 0;
  std::vector<int> queues;  // of each P; the short form only
};

struct p_line {
  int status = 0;
  long syscall_tick = 0;
  std::string m;
  int queue = 0;
};
struct m_line {
  std::string p;
  std::string g;
};
struct g_line {
  int status = 0;
  std::string m;
};
struct moment {
  summary head;
  std::map<std::string, p_line> ps;
  std::map<std::string, m_line> ms;
  std::map<std::string, g_line> gs;
};

constexpr int k_in_system_call = 3;

// The forms that Go prints, which pirn prints as well. The prefix of a line of another kind is left alone.
std::vector<moment> parse(const std::string& trace) {
  static const std::regex head(
      R"(SCHED (\d+)ms: gomaxprocs=(\d+) idleprocs=\d+ threads=(\d+) spinningthreads=\d+ needspinning=\d+ )"
      R"(idlethreads=(\d+) runqueue=(\d+) (?:\[([ \d]*)\].*|gcwaiting=.*))");
  static const std::regex p(R"(  P(\d+): status=(\d+) schedtick=\d+ syscalltick=(\d+) m=(\w+) runqsize=(\d+) .*)");
  static const std::regex m(R"(  M(\d+): p=(\w+) curg=(\w+) .*)");
  static const std::regex g(R"(  G(\d+): status=(\d+)\(.*\) m=(\w+) lockedm=\w+)");
  std::vector<moment> result;
  std::istringstream lines(trace);
  for (std::string line; std::getline(lines, line);) {
    std::smatch part;
    if (std::regex_match(line, part, head)) {
      moment next;
      next.head = {std::stod(part[1]), std::stoi(part[2]), std::stoi(part[3]),
                   std::stoi(part[4]), std::stoi(part[5]), {}};
      std::istringstream queues(part[6]);
      for (int length = 0; queues >> length;) next.head.queues.push_back(length);
      result.push_back(std::move(next));
    } else if (result.empty()) {
      continue;
    } else if (std::regex_match(line, part, p)) {
      result.back().ps[part[1]] = {std::stoi(part[2]), std::stol(part[3]), part[4], std::stoi(part[5])};
    } else if (std::regex_match(line, part, m)) {
      result.back().ms[part[1]] = {part[2], part[3]};
    } else if (std::regex_match(line, part, g)) {
      result.back().gs[part[1]] = {std::stoi(part[2]), part[3]};
    }
  }
  return result;
}

struct hand_off {
  std::string p, from_m, to_m, g;
  double before_ms = 0;
  double after_ms = 0;
};

// Before: M runs G with P. After: G is in a system call on the same M, which has no P; the P counts one system call
// more that it was lost in and runs something on another M.
std::optional<hand_off> between(const moment& before, const moment& after) {
  for (const auto& [m, had] : before.ms) {
    const auto now = after.ms.find(m);
    if (had.p == "nil" || had.g == "nil" || now == after.ms.end()) continue;
    if (now->second.p != "nil" || now->second.g != had.g) continue;
    const auto g = after.gs.find(had.g);
    if (g == after.gs.end() || g->second.status != k_in_system_call || g->second.m != m) continue;
    const auto p_before = before.ps.find(had.p);
    const auto p_after = after.ps.find(had.p);
    if (p_before == before.ps.end() || p_after == after.ps.end()) continue;
    const std::string& to = p_after->second.m;
    if (p_after->second.syscall_tick <= p_before->second.syscall_tick || to == "nil" || to == m) continue;
    const auto other = after.ms.find(to);
    if (other == after.ms.end() || other->second.p != had.p || other->second.g == "nil") continue;
    return hand_off{had.p, m, to, had.g, before.head.ms, after.head.ms};
  }
  return std::nullopt;
}

// Each call once: with the last moment before it in which the goroutine had the P.
std::vector<hand_off> find_hand_offs(const std::vector<moment>& trace) {
  constexpr std::size_t k_look_back = 4;
  std::vector<hand_off> found;
  std::size_t last_before = 0;
  for (std::size_t after = 1; after < trace.size(); ++after) {
    const std::size_t first = after > k_look_back ? after - k_look_back : 0;
    for (std::size_t before = after; before-- > std::max(first, last_before);) {
      std::optional<hand_off> one = between(trace[before], trace[after]);
      if (!one) continue;
      found.push_back(std::move(*one));
      last_before = before + 1;
      break;
    }
  }
  return found;
}

std::vector<moment> trace_of(const process_result& result) {
  if (!result.ok()) throw probe_error("the program: " + result.failure());
  return parse(result.err);
}

launch traced(const char* variable, const char* settings) {
  launch how;
  how.environment = {{"PIRN_DEBUG", std::nullopt}, {"GODEBUG", std::nullopt}, {"GOMAXPROCS", "2"}};
  for (auto& [name, value] : how.environment) {
    if (name == variable) value = settings;
  }
  return how;
}

void judge_short_form(trial& t, const std::string& duration) {
  const std::vector<moment> trace = trace_of(t.attempt({duration}, traced("PIRN_DEBUG", "schedtrace=5")));
  t.check(trace.size() >= 5, text("%zu lines of schedtrace", trace.size()));
  bool right = true;
  bool queued = false;
  int most_threads = 0;
  for (const moment& one : trace) {
    right = right && one.head.gomaxprocs == 2 && one.head.queues.size() == 2 && one.head.threads > 0 &&
            one.head.idle_threads <= one.head.threads;
    queued = queued || one.head.global_queue > 0 || one.head.queues[0] > 0 || one.head.queues[1] > 0;
    most_threads = std::max(most_threads, one.head.threads);
  }
  t.measured("lines", static_cast<double>(trace.size()));
  t.measured("most_threads", static_cast<double>(most_threads));
  t.check(right, "each with gomaxprocs=2, threads, idlethreads, and a queue for each P");
  t.check(queued, "work seen in the queues");
}

void judge(trial& t) {
  const std::string duration = std::to_string(t.pick(2000, 600));
  t.ran("a program that computes and blocks, " + duration + " ms with schedtrace=5, and as long with scheddetail=1");
  judge_short_form(t, duration);

  const std::vector<moment> trace = trace_of(t.attempt({duration}, traced("PIRN_DEBUG", "schedtrace=5,scheddetail=1")));
  int computing = 0;
  int in_call = 0;
  for (const moment& one : trace) {
    for (const auto& [id, p] : one.ps) computing += p.status == 1 ? 1 : 0;
    for (const auto& [id, g] : one.gs) in_call += g.status == k_in_system_call ? 1 : 0;
  }
  const std::vector<hand_off> found = find_hand_offs(trace);
  t.measured("moments", static_cast<double>(trace.size()));
  t.measured("ps_running", static_cast<double>(computing));
  t.measured("gs_in_system_calls", static_cast<double>(in_call));
  t.measured("hand_offs", static_cast<double>(found.size()));
  t.check(computing > 0 && in_call > 0,
          text("%d times a P that runs, %d times a G in a system call", computing, in_call));
  std::string first = "no hand-off in the trace";
  if (!found.empty()) {
    const hand_off& h = found.front();
    first = text("P%s went from M%s, with G%s in a system call, to M%s between %g and %g ms", h.p.c_str(),
                 h.from_m.c_str(), h.g.c_str(), h.to_m.c_str(), h.before_ms, h.after_ms);
  }
  t.check(!found.empty(), first);

  // The same reader on Go's own output.
  if (const auto go = t.attempt_twin({duration}, traced("GODEBUG", "schedtrace=5,scheddetail=1")); go && go->ok()) {
    const std::vector<moment> theirs = parse(go->err);
    t.go("moments", static_cast<double>(theirs.size()));
    t.go("hand_offs", static_cast<double>(find_hand_offs(theirs).size()));
  }
}

const registration entry_t14(entry{
    .id = "T14",
    .title = "Read the scheduler's trace",
    .seed = k_tasks_document,
    .target = "gomaxprocs, threads and queues read; a P handed off during a system call found by parsing",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
