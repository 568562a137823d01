// What does a program cost that has nothing to do, or next to nothing?
// Not for: the cost of waking up, which bench/pirn/timers.cpp shows.
// Layer: bench. The same in Go: bench/go/idle.go. idle_5s counts the voluntary context switches of every thread of a
// second process: whoever counts in the same process would have to wake up for it.

#include <fcntl.h>
#include <pirn/pirn.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <string_view>
#include <thread>

#include "bench.h"
#include "process.h"

namespace pirn_bench {
namespace {

using namespace std::chrono_literals;

// A child that runs this program with --idle-subject; killed and reaped on every way out.
class subject_process {
 public:
  explicit subject_process(int procs) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) fail("no pipe");
    output_ = fdopen(ends[0], "r");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string count = std::to_string(procs);
    char program[] = "pirn-bench", subject[] = "--idle-subject", option[] = "--procs";
    char* arguments[] = {program, subject, option, count.data(), nullptr};
    const int error = posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
      std::fclose(output_);
      fail("the subject did not start");
    }
  }
  subject_process(const subject_process&) = delete;
  subject_process& operator=(const subject_process&) = delete;
  ~subject_process() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    std::fclose(output_);
  }

  pid_t pid() const { return pid_; }
  bool wait_ready() {
    char line[16] = {};
    return std::fgets(line, sizeof line, output_) != nullptr && std::string_view(line) == "ready\n";
  }

 private:
  pid_t pid_ = 0;
  std::FILE* output_ = nullptr;
};

// The voluntary context switches of every thread of a process.
std::map<std::string, number> voluntary_switches(pid_t pid) {
  constexpr std::string_view k_field = "voluntary_ctxt_switches:";
  std::map<std::string, number> counts;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(k_field)) counts[task.path().filename()] = std::stol(line.substr(k_field.size()));
    }
  }
  if (counts.empty()) fail("no threads to be seen");
  return counts;
}

void idle(run_state& r) {
  subject_process subject(r.procs());
  if (!subject.wait_ready()) fail("the subject did not get ready");
  std::this_thread::sleep_for(r.count(500, 50) * 1ms);
  auto before = voluntary_switches(subject.pid());
  std::this_thread::sleep_for(r.count(5000, 50) * 1ms);
  number sum = 0;
  for (const auto& [thread, count] : voluntary_switches(subject.pid())) {
    sum += count - before[thread];
    before.erase(thread);
  }
  // A thread that has ended must have woken to do so.
  r.report(static_cast<double>(sum + static_cast<number>(before.size())));
}

// What the machine asks for waking up a thousand times a second: one thread, one system call each.
double bare_thread_share(number n) {
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  const stopwatch watch;
  const double cpu_before = cpu_seconds();
  for (number i = 0; i < n; ++i) {
    constexpr long k_second = 1'000'000'000;
    at.tv_nsec += 1'000'000;
    if (at.tv_nsec >= k_second) {
      at.tv_nsec -= k_second;
      ++at.tv_sec;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
  }
  return 100 * (cpu_seconds() - cpu_before) / (watch.ns() / 1e9);
}

void one_task_per_ms(run_state& r) {
  const number warm = r.count(200, 2);
  const number n = r.count(3000, 20);
  std::atomic<number> done = 0;
  pirn::wait_group wg;
  pirn::ticker ticker(1ms);
  const auto tick_and_start = [&] {
    ticker.channel().recv();
    wg.add(1);
    pirn::go([&] {
      ++done;
      wg.done();
    });
  };
  for (number i = 0; i < warm; ++i) tick_and_start();
  const stopwatch watch;
  const double cpu_before = cpu_seconds();
  for (number i = 0; i < n; ++i) tick_and_start();
  wg.wait();
  const double cpu = cpu_seconds() - cpu_before;
  const double wall = watch.ns() / 1e9;
  if (done != warm + n) fail("%ld of %ld tasks ran", static_cast<long>(done), static_cast<long>(warm + n));
  r.report(100 * cpu / wall);
  r.report_part("rate", static_cast<double>(n) / wall, "tasks/s");
  double bare = 0;
  pirn::runtime::blocking([&] { std::thread([&] { bare = bare_thread_share(n); }).join(); });
  r.report_part("bare_thread", bare, "% of a CPU");
}

constexpr workload k_workloads[] = {
    {.name = "idle_5s", .unit = "voluntary switches", .body = idle, .outside = true},
    {.name = "one_task_per_ms", .unit = "% of a CPU", .body = one_task_per_ms},
};

}  // namespace

std::span<const workload> idle_workloads() { return k_workloads; }

int idle_subject(int procs) {
  pirn::config config;
  config.gomaxprocs = procs;
  return pirn::run(config, [] {
    pirn::wait_group wg;
    wg.add(1000);
    for (int i = 0; i < 1000; ++i) {
      pirn::go([&wg] {
        pirn::sleep_for(1ms);
        wg.done();
      });
    }
    wg.wait();
    std::puts("ready");
    std::fflush(stdout);
    pirn::sleep_for(1h);
  });
}

}  // namespace pirn_bench
