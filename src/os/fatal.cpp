// Last words. Layer: os.
#include "os/fatal.h"

#include <unistd.h>

#include <cerrno>

namespace pirn::rt {

void (*report_running_goroutine)() noexcept = nullptr;

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

void exit_after_report() noexcept { _exit(2); }

void fatal(std::string_view text) noexcept {
  write_stderr("fatal error: ");
  write_stderr(text);
  write_stderr("\n");
  if (report_running_goroutine != nullptr) report_running_goroutine();
  exit_after_report();
}

}  // namespace pirn::rt
