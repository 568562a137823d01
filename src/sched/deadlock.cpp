// Noticing that nothing can ever go on. Layer: sched. Called by sysmon when the process has been idle for a while.
//
// A deadlock: every goroutine is parked on something internal, none on a descriptor, there is no timer, no blocking
// section, and no thread in the process but the runtime's own and those that are themselves parked inside a pirn call.
// Any other thread might still send, so while one lives nothing is said.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "sched/entry.h"
#include "sched/reports.h"

namespace pirn::rt {

namespace {

// Threads of this process, 0 when that cannot be learned. Source: proc(5), /proc/self/stat, field 20.
unsigned long process_threads() noexcept {
  const int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[1024];
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = '\0';
  // The name, in parentheses, may hold anything; after it one field is a letter, all others are numbers.
  const char* at = std::strrchr(text, ')');
  for (int field = 2; at != nullptr && field < 20; ++field) at = std::strchr(at + 1, ' ');
  return at == nullptr ? 0 : std::strtoul(at + 1, nullptr, 10);
}

bool everybody_waits(scheduler& s) noexcept {
  const int procs = s.gomaxprocs.load(std::memory_order_relaxed);
  return s.idle_p_count.load(std::memory_order_relaxed) == procs && s.global.size() == 0 && s.stackless.count == 0 &&
         s.starts == 0 && s.threads_coming == 0 && !any_queue_has_work(s);
}

bool waits_for_outside(const goroutine& g) noexcept {
  return g.get_state() == g_state::waiting && g.waits_for->outside;
}

}  // namespace

// Most often the one that did so the last time does still.
bool somebody_waits_for_outside(scheduler& s) noexcept {
  if (s.net.backend.load(std::memory_order_relaxed) == nullptr) return false;
  if (s.waits_for_outside != nullptr && waits_for_outside(*s.waits_for_outside)) return true;
  s.waits_for_outside = nullptr;
  s.goroutines.for_each_slab([&s](goroutine* first, std::size_t count) {
    for (std::size_t i = 0; i < count && s.waits_for_outside == nullptr; ++i) {
      if (waits_for_outside(first[i])) s.waits_for_outside = &first[i];
    }
  });
  return s.waits_for_outside != nullptr;
}

void check_deadlock(scheduler& s) noexcept {
  if (next_timer(s) != k_forever) return;
  s.mu.lock();
  // Under mu nobody takes an idle P; who came in before has it, or has left its work in a queue.
  const bool stuck = everybody_waits(s) && !s.stopping.load(std::memory_order_relaxed) &&
                     s.blocking_sections.load(std::memory_order_seq_cst) == 0 && !somebody_waits_for_outside(s);
  // While nobody begins or ends a wait, the threads that wait are there all the time. So if there are no others at one
  // instant in between, nobody is left who could end a wait. One that was woken, however long it takes to run, is not
  // among those that wait.
  const foreign_wait_count waiting = waiting_foreign_threads();
  const auto ours = static_cast<unsigned long>(thread_count(s));
  const bool alone =
      stuck && process_threads() == ours + waiting.threads && waiting_foreign_threads().version == waiting.version;
  if (!alone || !everybody_waits(s)) {
    s.mu.unlock();
    return;
  }
  report_deadlock(s);
}

}  // namespace pirn::rt
