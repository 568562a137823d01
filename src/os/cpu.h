// How many CPUs this process may use. Layer: os.
#pragma once

namespace pirn::rt {

// CPUs in the affinity mask of the process, at least 1. Source: sched_getaffinity(2).
int affinity_cpu_count() noexcept;

}  // namespace pirn::rt
