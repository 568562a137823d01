// fork, exec and poll. Layer: lab/support. See process.h.
#include "support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>

#include "support/proc_files.h"

namespace lab {
namespace {

using clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

struct pipe_ends {
  int read_end = -1;
  int write_end = -1;

  pipe_ends() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) fail("pipe");
    read_end = fds[0];
    write_end = fds[1];
  }
  pipe_ends(const pipe_ends&) = delete;
  pipe_ends& operator=(const pipe_ends&) = delete;
  ~pipe_ends() {
    close_read();
    close_write();
  }
  void close_read() {
    if (read_end >= 0) close(read_end);
    read_end = -1;
  }
  void close_write() {
    if (write_end >= 0) close(write_end);
    write_end = -1;
  }
};

std::vector<std::string> changed_environment(const launch& how) {
  std::vector<std::string> result;
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string_view text(*one);
    const std::string_view name = text.substr(0, text.find('='));
    const bool changed = std::any_of(how.environment.begin(), how.environment.end(),
                                     [name](const auto& change) { return change.first == name; });
    if (!changed) result.emplace_back(text);
  }
  for (const auto& [name, value] : how.environment) {
    if (value) result.push_back(name + "=" + *value);
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& one : strings) result.push_back(one.data());
  result.push_back(nullptr);
  return result;
}

// Async-signal-safe. "0" stands for the process that writes it.
bool enter_control_group(const char* processes) {
  const int fd = open(processes, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool entered = write(fd, "0", 1) == 1;
  close(fd);
  return entered;
}

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(char** arguments, char** environment, const launch& how, const cpu_set_t& cpus,
                         const std::string& group_processes, const pipe_ends& out, const pipe_ends& err) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(out.write_end, STDOUT_FILENO);
  dup2(err.write_end, STDERR_FILENO);
  const bool placed = (group_processes.empty() || enter_control_group(group_processes.c_str())) &&
                      (!how.one_cpu || sched_setaffinity(0, sizeof cpus, &cpus) == 0) &&
                      (how.directory.empty() || chdir(how.directory.c_str()) == 0);
  if (placed) execve(arguments[0], arguments, environment);
  const char* reason = strerrordesc_np(errno);
  if (reason != nullptr && write(STDERR_FILENO, reason, std::strlen(reason)) < 0) _exit(126);
  _exit(127);
}

// Reads both pipes until they close; false when the limit passes first.
bool drain(pipe_ends& out, pipe_ends& err, process_result& result, clock::time_point deadline) {
  struct sink {
    pipe_ends* from;
    std::string* into;
  };
  const sink sinks[2] = {{&out, &result.out}, {&err, &result.err}};
  while (out.read_end >= 0 || err.read_end >= 0) {
    pollfd waiting[2] = {{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
    if (left <= 0) return false;
    const int ready = poll(waiting, 2, static_cast<int>(std::min<long>(left, INT_MAX)));
    if (ready < 0 && errno != EINTR) fail("poll");
    for (int i = 0; ready > 0 && i < 2; ++i) {
      if (waiting[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t got = read(waiting[i].fd, buffer, sizeof buffer);
      if (got > 0) {
        sinks[i].into->append(buffer, static_cast<std::size_t>(got));
      } else if (got == 0 || errno != EINTR) {
        sinks[i].from->close_read();
      }
    }
  }
  return true;
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::size_t start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

// A pirn or Go program that dies says why first: a panic or fatal error stands above its stacks.
std::string telling_line(const std::string& text) {
  for (const char* mark : {"panic: ", "fatal error: "}) {
    const std::size_t at = text.find(mark);
    if (at != std::string::npos) return text.substr(at, text.find('\n', at) - at);
  }
  return last_line(text);
}

}  // namespace

std::string process_result::failure() const {
  std::string what = timed_out     ? "ran past its time limit"
                     : signal != 0 ? "died of signal " + std::to_string(signal)
                                   : "exit status " + std::to_string(exit_status);
  const std::string said = telling_line(err);
  return said.empty() ? what : what + ": " + said;
}

process_result run_process(const std::vector<std::string>& command, const launch& how) {
  std::vector<std::string> words = command;
  std::vector<std::string> variables = changed_environment(how);
  std::vector<char*> arguments = pointers(words);
  std::vector<char*> environment = pointers(variables);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (how.one_cpu) CPU_SET(static_cast<std::size_t>(first_allowed_cpu()), &cpus);

  const std::string group_processes = how.control_group.empty() ? "" : how.control_group + "/cgroup.procs";

  pipe_ends out;
  pipe_ends err;
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) become(arguments.data(), environment.data(), how, cpus, group_processes, out, err);
  out.close_write();
  err.close_write();

  process_result result;
  result.timed_out = !drain(out, err, result, clock::now() + how.limit);
  if (result.timed_out) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) fail("waitpid");
  }
  if (WIFEXITED(status)) result.exit_status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

std::string own_executable() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  if (length < 0) fail("/proc/self/exe");
  return std::string(path, static_cast<std::size_t>(length));
}

}  // namespace lab
