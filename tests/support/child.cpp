// Starting this test program again for one registered child, and the main() that tells the two uses apart.
// Layer: tests.
#include "support/child.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <system_error>

namespace pirn_test {
namespace {

// How this program is started again. The emulator that runs it, if one does, is no interpreter the kernel knows of.
#ifdef PIRN_TEST_EMULATOR
constexpr const char* k_emulator[] = {PIRN_TEST_EMULATOR};
#else
constexpr std::span<const char* const> k_emulator;
#endif

constexpr const char* k_child_flag = "--child=";
constexpr unsigned k_child_limit_seconds = 60;

std::map<std::string, int (*)()>& registry() {
  static std::map<std::string, int (*)()> children;
  return children;
}

[[noreturn]] void become_child(int output, const std::string& flag,
                               const std::vector<std::pair<std::string, std::string>>& environment) {
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  alarm(k_child_limit_seconds);
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  std::vector<const char*> command(std::begin(k_emulator), std::end(k_emulator));
  command.insert(command.end(), {self.c_str(), flag.c_str(), nullptr});
  execvp(command[0], const_cast<char**>(command.data()));
  _exit(127);
}

}  // namespace

child_registration::child_registration(const char* name, int (*body)()) { registry()[name] = body; }

std::string child_result::describe() const {
  const std::string how =
      signal != 0 ? "killed by signal " + std::to_string(signal) : "exit status " + std::to_string(exit_code);
  return how + ", output:\n" + output;
}

child_result run_child(const std::string& name, const std::vector<std::pair<std::string, std::string>>& environment) {
  const std::string flag = k_child_flag + name;
  int ends[2];
  if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) {
    close(ends[0]);
    become_child(ends[1], flag, environment);
  }
  close(ends[1]);

  child_result result;
  char buffer[4096];
  for (;;) {
    const ssize_t n = read(ends[0], buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    result.output.append(buffer, static_cast<std::size_t>(n));
  }
  close(ends[0]);

  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    result.signal = WTERMSIG(status);
  } else {
    result.exit_code = WEXITSTATUS(status);
  }
  return result;
}

}  // namespace pirn_test

int main(int argc, char** argv) {
  const std::size_t flag_length = std::strlen(pirn_test::k_child_flag);
  if (argc == 2 && std::strncmp(argv[1], pirn_test::k_child_flag, flag_length) == 0) {
    const auto found = pirn_test::registry().find(argv[1] + flag_length);
    if (found == pirn_test::registry().end()) {
      std::fprintf(stderr, "no child %s\n", argv[1]);
      return 126;
    }
    return found->second();
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
