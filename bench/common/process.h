// What the kernel tells of this process.
// Layer: bench; the standard library and the kernel only.
#pragma once

#include <string>

namespace pirn_bench {

// One "Name:  123 kB" line of this process's status.
double status_kib(const std::string& name);

// CPU time of all threads of this process so far.
double cpu_seconds();

}  // namespace pirn_bench
