// Takes the place of the C library's sched_getaffinity. Layer: lab/support. See wide_host.h.
#include "support/wide_host.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

// The C library's contract: 0 or -1, and what the kernel does not write is zero.
extern "C" int sched_getaffinity(pid_t pid, std::size_t bytes, cpu_set_t* mask) noexcept {
  const long written = syscall(SYS_sched_getaffinity, pid, bytes, mask);
  if (written < 0) return -1;
  std::memset(reinterpret_cast<char*>(mask) + written, 0, bytes - static_cast<std::size_t>(written));
  if (const char* wanted = std::getenv(lab::k_pretended_cpus)) {
    const long cpus = std::strtol(wanted, nullptr, 10);
    CPU_ZERO_S(bytes, mask);
    for (long cpu = 0; cpu < cpus; ++cpu) CPU_SET_S(static_cast<std::size_t>(cpu), bytes, mask);
  }
  return 0;
}
