// A control group with a CPU quota, for programs that must run under one. Layer: lab/support.
// Version 1 or 2, whichever holds the cpu controller here; needs the right to make groups (root, as a rule).
#pragma once

#include <string>

namespace lab {

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
  // For launch::control_group.
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  bool v2_ = false;
};

}  // namespace lab
