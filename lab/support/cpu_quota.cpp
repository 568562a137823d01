// Layer: lab/support. See cpu_quota.h.
#include "support/cpu_quota.h"

#include <mntent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

#include "support/readings.h"
#include "support/trial.h"

namespace lab {
namespace {

constexpr long k_period_us = 100000;

[[noreturn]] void fail(const std::string& what) { throw probe_error(what + ": " + std::strerror(errno)); }

void write_to(const std::string& file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  out.flush();
  if (!out) fail(file);
}

bool has_cpu_controller(const std::string& v2_mount) {
  std::ifstream in(v2_mount + "/cgroup.controllers");
  for (std::string name; in >> name;) {
    if (name == "cpu") return true;
  }
  return false;
}

}  // namespace

cpu_quota::cpu_quota() {
  std::string mount;
  const std::unique_ptr<FILE, int (*)(FILE*)> mounts(setmntent("/proc/self/mounts", "r"), endmntent);
  if (mounts == nullptr) fail("/proc/self/mounts");
  while (const mntent* m = getmntent(mounts.get())) {
    const std::string type = m->mnt_type;
    if (type == "cgroup" && hasmntopt(m, "cpu") != nullptr && (mount.empty() || v2_)) {
      mount = m->mnt_dir;
      v2_ = false;
    } else if (type == "cgroup2" && mount.empty() && has_cpu_controller(m->mnt_dir)) {
      mount = m->mnt_dir;
      v2_ = true;
    }
  }
  if (mount.empty()) throw probe_error("no hierarchy with the cpu controller is mounted");
  if (v2_) write_to(mount + "/cgroup.subtree_control", "+cpu");
  const std::string directory = mount + "/pirn-lab-" + std::to_string(getpid());
  if (mkdir(directory.c_str(), 0755) != 0) fail(directory);
  directory_ = directory;
}

cpu_quota::~cpu_quota() { rmdir(directory_.c_str()); }

void cpu_quota::set(double cpus) const {
  const std::string quota = std::to_string(std::lround(cpus * k_period_us));
  const std::string period = std::to_string(k_period_us);
  if (v2_) return write_to(directory_ + "/cpu.max", quota + " " + period);
  write_to(directory_ + "/cpu.cfs_period_us", period);
  write_to(directory_ + "/cpu.cfs_quota_us", quota);
}

double cpu_quota::throttled_ms() const {
  std::ifstream in(directory_ + "/cpu.stat");
  const std::string wanted = v2_ ? "throttled_usec" : "throttled_time";  // the latter in ns
  double value = 0;
  for (std::string name; in >> name >> value;) {
    if (name == wanted) return value / (v2_ ? 1e3 : 1e6);
  }
  throw probe_error("no '" + wanted + "' in " + directory_ + "/cpu.stat");
}

std::unique_ptr<cpu_quota> quota_or_skip(trial& t) {
  try {
    return std::make_unique<cpu_quota>();
  } catch (const probe_error& error) {
    t.skip(std::string("no control group with a CPU quota can be made: ") + error.what());
    return nullptr;
  }
}

}  // namespace lab
