// A control group with a CPU quota, for programs that must run under one. Layer: lab/support.
// Version 1 or 2, whichever holds the cpu controller here; needs the right to make groups (root, as a rule).
#pragma once

#include <memory>
#include <string>

namespace lab {

class trial;

class cpu_quota {
 public:
  // Throws probe_error, saying why, where no group can be made.
  cpu_quota();
  // Removes the group, which must be empty by then.
  ~cpu_quota();
  cpu_quota(const cpu_quota&) = delete;
  cpu_quota& operator=(const cpu_quota&) = delete;

  // The group's processes together get `cpus` CPUs. Throws probe_error when the kernel refuses.
  void set(double cpus) const;
  // How long its threads have been kept from running because the quota was used up, in all, in ms.
  double throttled_ms() const;
  // For launch::control_group.
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  bool v2_ = false;
};

// A group, or null where none can be made; the trial is told that it is skipped.
std::unique_ptr<cpu_quota> quota_or_skip(trial& t);

}  // namespace lab
