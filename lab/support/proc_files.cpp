// Readers of /proc/self and the affinity mask. Layer: lab/support. See proc_files.h.
#include "support/proc_files.h"

#include <sched.h>

#include <fstream>
#include <string>

#include "support/readings.h"

namespace lab {
namespace {

cpu_set_t allowed() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) throw probe_error("sched_getaffinity failed");
  return cpus;
}

}  // namespace

long own_status(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':') {
      return std::stol(line.substr(key.size() + 1));
    }
  }
  throw probe_error("no line '" + std::string(key) + "' in /proc/self/status");
}

int allowed_cpus() {
  const cpu_set_t cpus = allowed();
  return CPU_COUNT(&cpus);
}

int first_allowed_cpu() {
  const cpu_set_t cpus = allowed();
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &cpus)) return cpu;
  }
  throw probe_error("the affinity mask is empty");
}

}  // namespace lab
