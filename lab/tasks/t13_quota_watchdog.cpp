// T13: a watchdog that a program starts first thing: after a moment it compares gomaxprocs with the CPU quota of the
// control groups around it, in version 2 or 1, and warns loudly when it is twice as much or more.
#include <pirn/pirn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include "support/cpu_quota.h"
#include "support/probe.h"
#include "support/trial.h"

namespace lab {
namespace {

using namespace std::chrono_literals;

std::optional<double> quotient(const std::string& quota, const std::string& period) {
  try {
    const double cpus = std::stod(quota) / std::stod(period);
    if (cpus > 0) return cpus;
  } catch (const std::logic_error&) {  // "max", or no such file
  }
  return std::nullopt;
}

std::string first_line(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// What one group allows, in CPUs: cpu.max in version 2, two files in version 1.
std::optional<double> limit_of(const std::string& group) {
  std::istringstream v2(first_line(group + "/cpu.max"));
  std::string quota;
  std::string period;
  if (v2 >> quota >> period) return quotient(quota, period);
  return quotient(first_line(group + "/cpu.cfs_quota_us"), first_line(group + "/cpu.cfs_period_us"));
}

// The tightest limit between the process's group and the top of its hierarchy, in the customary places.
std::optional<double> quota_in_cpus(const std::string& root) {
  std::optional<double> tightest;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // <number>:<controllers>:<path>
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string mount = root + "/sys/fs/cgroup";
    if (controllers.find(",cpu,") != std::string::npos) {
      mount += "/cpu";
    } else if (controllers != ",,") {
      continue;
    }
    for (std::filesystem::path group = line.substr(second + 1);; group = group.parent_path()) {
      if (const std::optional<double> here = limit_of(mount + group.string())) {
        tightest = std::min(tightest.value_or(*here), *here);
      }
      if (group == group.parent_path()) break;
    }
  }
  return tightest;
}

// The sidecar. One P is the least there is, so no reason to warn.
void start_watchdog(const std::string& root, std::chrono::milliseconds delay) {
  pirn::go([root, delay] {
    pirn::sleep_for(delay);
    const int procs = pirn::runtime::gomaxprocs();
    const std::optional<double> cpus = quota_in_cpus(root);
    if (cpus) emit("quota_cpus", *cpus);
    const bool warns = cpus && procs > 1 && procs >= 2 * *cpus;
    emit("warned", warns ? 1 : 0);
    if (!warns) return;
    std::cerr << text("WARNING: GOMAXPROCS is %d but the CPU quota is %.3g: the kernel will throttle this program\n",
                      procs, *cpus);
  });
}

// Argument: where /proc and /sys are, "/" for the real ones.
int probe(arguments args) {
  return pirn::run([&] {
    start_watchdog(args[0] == "/" ? "" : args[0], 50ms);
    pirn::sleep_for(100ms);  // the service itself
    emit("gomaxprocs", pirn::runtime::gomaxprocs());
  });
}

struct situation {
  std::string what;
  std::optional<std::string> gomaxprocs;  // in the environment
  bool warns;
};

void look(trial& t, const situation& s, const std::string& root, launch how = {}) {
  how.environment = {{"GOMAXPROCS", s.gomaxprocs}};
  const process_result result = t.attempt({root}, how);
  if (!result.ok()) throw probe_error("the program: " + result.failure());
  const readings seen = readings::parse(result.out);
  const bool said = result.err.find("WARNING: GOMAXPROCS is ") != std::string::npos;
  t.check(said == s.warns && seen.number("warned") == (s.warns ? 1 : 0),
          text("%s, gomaxprocs %g: %s", s.what.c_str(), seen.number("gomaxprocs"), said ? "warned" : "silent"));
}

// A directory with files of the control groups' form, for the version that this machine does not have.
class written_tree {
 public:
  explicit written_tree(const std::string& name)
      : top_(std::filesystem::temp_directory_path() / ("pirn-lab-t13-" + std::to_string(getpid()) + "-" + name)) {}
  ~written_tree() {
    std::error_code ignored;
    std::filesystem::remove_all(top_, ignored);
  }
  written_tree(const written_tree&) = delete;
  written_tree& operator=(const written_tree&) = delete;

  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = top_ / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << "\n";
  }
  std::string root() const { return top_.string(); }

 private:
  std::filesystem::path top_;
};

void judge_trees(trial& t) {
  t.ran("in trees of files as versions 2 and 1 have them: 1.5 CPUs at the parent, 4 at the group itself");
  const written_tree v2("v2");
  v2.write("proc/self/cgroup", "0::/app/web");
  v2.write("sys/fs/cgroup/app/cpu.max", "150000 100000");
  v2.write("sys/fs/cgroup/app/web/cpu.max", "400000 100000");
  const written_tree v1("v1");
  v1.write("proc/self/cgroup", "4:cpu,cpuacct:/app/web\n1:cpuset:/other");
  v1.write("sys/fs/cgroup/cpu/app/cpu.cfs_quota_us", "75000");
  v1.write("sys/fs/cgroup/cpu/app/cpu.cfs_period_us", "50000");
  v1.write("sys/fs/cgroup/cpu/app/web/cpu.cfs_quota_us", "-1");
  v1.write("sys/fs/cgroup/cpu/app/web/cpu.cfs_period_us", "100000");
  for (const written_tree* tree : {&v2, &v1}) {
    const std::string version = tree == &v2 ? "files of version 2" : "files of version 1";
    look(t, {version, "3", true}, tree->root());
    look(t, {version, "2", false}, tree->root());
  }
  v2.write("sys/fs/cgroup/app/cpu.max", "max 100000");
  v2.write("sys/fs/cgroup/app/web/cpu.max", "max 100000");
  look(t, {"no limit", "64", false}, v2.root());
}

void judge(trial& t) {
  judge_trees(t);
  const std::unique_ptr<cpu_quota> group = quota_or_skip(t);
  if (!group) return;
  launch how;
  how.control_group = group->directory();
  t.ran("in a control group with quotas of 0.5, 1 and 1.5 CPUs: the default, and GOMAXPROCS at twice the quota");
  for (const double quota : {0.5, 1.0, 1.5}) {
    group->set(quota);
    const std::string where = text("a real quota of %g", quota);
    look(t, {where, std::nullopt, false}, "/", how);
    look(t, {where, std::to_string(std::max(2, static_cast<int>(std::lround(2 * quota)))), true}, "/", how);
  }
}

const registration entry_t13(entry{
    .id = "T13",
    .title = "A watchdog for GOMAXPROCS under a CPU quota",
    .seed = k_tasks_document,
    .target = "warns in a real control group with GOMAXPROCS at twice the quota, silent at the default",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
