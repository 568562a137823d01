// How much CPU time the control groups of this process allow it. Layer: os.
// Sources: cgroups(7), the kernel's admin-guide/cgroup-v2 and scheduler/sched-bwc, proc_pid_mountinfo(5).
//
// A group's limit holds for all groups below it, so the one that counts is the tightest between the process's own group
// and the topmost one that a mount shows: cpu.max in version 2, cpu.cfs_quota_us over cpu.cfs_period_us in version 1.
// What cannot be read or understood limits nothing. Nothing is kept: each call reads anew.
#pragma once

#include <cstdint>

namespace pirn::rt {

// CPU time per wall time. No limit: quota_us is 0.
struct cpu_limit {
  std::int64_t quota_us = 0;
  std::int64_t period_us = 0;

  bool unlimited() const noexcept { return quota_us == 0; }
};

// The tightest limit. `root` stands before every path that is read: /proc/self/cgroup, /proc/self/mountinfo, and the
// mount points named there. Takes some 30 KiB of stack and no memory; errno is kept. Thread-safety: any thread.
cpu_limit cgroup_cpu_limit(const char* root = "") noexcept;

// How many CPUs can be kept busy within the limit: rounded up, so that none of it is lost, and at least 1; 0 without a
// limit. As Go 1.25, but for Go's floor of 2: under a quota of one CPU a second thread only gets the group throttled.
int cpus_within(cpu_limit limit) noexcept;

}  // namespace pirn::rt
