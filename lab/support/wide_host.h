// Lets a program of the lab take this machine for one with more CPUs, as far as its affinity mask tells.
// Layer: lab/support. The lab's executable answers sched_getaffinity(2) itself; programs started without the variable
// get what the kernel says.
#pragma once

namespace lab {

// The environment variable: how many CPUs the mask shows.
inline constexpr const char* k_pretended_cpus = "PIRN_LAB_CPUS";

}  // namespace lab
