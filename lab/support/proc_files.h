// What /proc and the affinity mask say about this process.
// Layer: lab/support. Plain POSIX: the lab checks the runtime's own figures against these.
#pragma once

#include <string_view>

namespace lab {

// The number on the line `key:` of /proc/self/status (kB fields in KiB). Throws probe_error when there is none.
long own_status(std::string_view key);

// CPUs in the affinity mask, and the lowest of them.
int allowed_cpus();
int first_allowed_cpu();

}  // namespace lab
