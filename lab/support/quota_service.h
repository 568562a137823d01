// A service of requests that each compute for about a millisecond, for the exercises about GOMAXPROCS under a quota.
// Layer: lab/support.
#pragma once

#include <string>

#include "support/probe.h"
#include "support/trial.h"

namespace lab {

// The whole probe: arguments CLIENTS MS. Each client has one request under way at a time, and thinks for a millisecond
// between two. All together they ask for two CPUs. Emits gomaxprocs, num_cpu,
// the rate and the latencies.
int quota_service_probe(arguments args);

struct quota_run {
  std::string name;        // of what it records
  std::string gomaxprocs;  // in the environment; empty: the default
  int cpus = 0;            // that the machine pretends to have; 0: as it is
};

// The service's probe, and the twin where it can be, under the group's quota as it is set.
paired run_in_group(trial& t, const std::string& group, const quota_run& which, int ms);

}  // namespace lab
