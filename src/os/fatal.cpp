// Last words. Layer: os.
#include "os/fatal.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace pirn::rt {

report_hooks reporting;

namespace {
std::atomic<long> reporter{0};  // the thread that reports
}

void begin_report() noexcept {
  const long self = syscall(SYS_gettid);
  long nobody = 0;
  if (reporter.compare_exchange_strong(nobody, self, std::memory_order_relaxed)) return;
  if (nobody == self) exit_after_report();
  for (;;) pause();
}

void write_stderr(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void exit_after_report() noexcept {
  if (reporting.exit != nullptr) reporting.exit();
  _exit(2);
}

void fatal(std::string_view text) noexcept {
  begin_report();
  write_stderr("fatal error: ");
  write_stderr(text);
  write_stderr("\n");
  if (reporting.after_fatal != nullptr) reporting.after_fatal();
  exit_after_report();
}

}  // namespace pirn::rt
