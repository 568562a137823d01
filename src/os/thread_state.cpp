// Reading the state of a thread. Layer: os. Allocates nothing: sysmon may wait for no lock that user code can hold.
#include "os/thread_state.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pirn::rt {

namespace {
// As pthread_getcpuclockid(), which wants a pthread_t that may not have ended.
std::int64_t cpu_time_of(int tid) noexcept {
  constexpr unsigned k_of_thread_by_scheduler = 4 | 2;
  const auto clock = static_cast<clockid_t>((~static_cast<unsigned>(tid) << 3) | k_of_thread_by_scheduler);
  timespec t{};
  return clock_gettime(clock, &t) == 0 ? t.tv_sec * 1'000'000'000 + t.tv_nsec : -1;
}
}  // namespace

thread_look look_at_thread(int tid) noexcept {
  thread_look seen;
  char path[48];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return seen;
  char text[4096];
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return seen;
  text[n] = '\0';
  const char* state = std::strstr(text, "\nState:\t");
  const char* sleeps = std::strstr(text, "\nvoluntary_ctxt_switches:\t");
  if (state == nullptr || sleeps == nullptr) return seen;
  seen.known = true;
  seen.running = state[sizeof "\nState:\t" - 1] == 'R';
  seen.ran_ns = cpu_time_of(tid);
  seen.went_to_sleep = std::strtoull(sleeps + sizeof "\nvoluntary_ctxt_switches:\t" - 1, nullptr, 10);
  return seen;
}

}  // namespace pirn::rt
