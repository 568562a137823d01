// Runs another program and collects what it printed.
// Layer: lab/support. The caller is single-threaded; a child that outlives its time limit, or the lab, is killed.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lab {

struct launch {
  // Changes to the inherited environment; nullopt removes the variable.
  std::vector<std::pair<std::string, std::optional<std::string>>> environment;
  // Confine the program to the first CPU of the current affinity mask.
  bool one_cpu = false;
  std::string directory;  // empty: the current one
  // The directory of a control group that the program enters before it starts; empty: the current one.
  std::string control_group;
  std::chrono::seconds limit{120};
};

struct process_result {
  int exit_status = -1;  // -1 when a signal ended it
  int signal = 0;
  bool timed_out = false;
  std::string out;
  std::string err;

  bool ok() const { return exit_status == 0 && !timed_out; }
  // Why it is not ok, with the last line it wrote to stderr.
  std::string failure() const;
};

// Throws std::system_error when the program cannot be started at all.
process_result run_process(const std::vector<std::string>& command, const launch& how = {});

// The absolute path of the running executable.
std::string own_executable();

}  // namespace lab
