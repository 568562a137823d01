// E08: a counter that goroutines add to without synchronisation, which ThreadSanitizer must report, and an atomic one,
// about which it must be silent. The sanitized program (race/) and its library are built on demand, in the build tree.
#include <pirn/pirn.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "support/forms.h"
#include "support/process.h"

namespace lab {
namespace {

constexpr int k_goroutines = 1000;

// What the essay warns of, without the detector: adds that get lost. A load and a store, each atomic, so that the
// program is a correct one that counts wrong.
int probe(arguments args) {
  const int adds = int_argument(args, 0);
  return pirn::run([adds] {
    std::atomic<int> torn{0};
    std::atomic<int> whole{0};
    each_worker(k_goroutines, [&](int) {
      for (int i = 0; i < adds; ++i) {
        torn.store(torn.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        whole.fetch_add(1, std::memory_order_relaxed);
      }
    });
    emit("lost_adds", static_cast<double>(k_goroutines) * adds - torn);
    emit("atomic_lost_adds", static_cast<double>(k_goroutines) * adds - whole);
  });
}

// The program's path.
std::string build_sanitized(const trial& t) {
  namespace fs = std::filesystem;
  const fs::path tree = fs::path(own_executable()).parent_path() / "race";
  t.ran("building the program and the library under ThreadSanitizer");
  launch how;
  how.limit = std::chrono::seconds(600);
  const auto step = [&how](const std::vector<std::string>& command, const char* what) {
    const process_result result = run_process(command, how);
    if (!result.ok()) throw probe_error(std::string(what) + ": " + result.failure());
  };
  step({PIRN_LAB_CMAKE, "-S", PIRN_LAB_RACE_SOURCES, "-B", tree.string(), "-G", PIRN_LAB_GENERATOR,
        std::string("-DCMAKE_CXX_COMPILER=") + PIRN_LAB_CXX, "-DCMAKE_BUILD_TYPE=Debug"},
       "cmake");
  step({PIRN_LAB_CMAKE, "--build", tree.string(), "--target", "race", "--parallel",
        std::to_string(sysconf(_SC_NPROCESSORS_ONLN))},
       "building under ThreadSanitizer");
  return (tree / "race").string();
}

struct finding {
  double races = 0;
  std::string summary;  // of the first report
};

finding run_sanitized(const std::string& program, const std::string& form) {
  constexpr int k_found_races = 66;
  launch how;
  how.environment = {{"TSAN_OPTIONS", "exitcode=" + std::to_string(k_found_races)}};
  process_result result = run_process({program, form}, how);
  // Where addresses are randomised over more bits than it expects, ThreadSanitizer cannot place its shadow.
  if (result.err.find("unexpected memory mapping") != std::string::npos) {
    result = run_process({"/usr/bin/setarch", "-R", program, form}, how);
  }
  finding found;
  for (std::size_t at = 0; (at = result.err.find("WARNING: ThreadSanitizer: data race", at)) != std::string::npos;
       ++at) {
    ++found.races;
  }
  const bool reported = found.races > 0;
  if (result.timed_out || result.exit_status != (reported ? k_found_races : 0)) {
    throw probe_error("the sanitized program: " + result.failure());
  }
  const std::size_t summary = result.err.find("SUMMARY: ");
  if (summary != std::string::npos) {
    found.summary = result.err.substr(summary, result.err.find('\n', summary) - summary);
  }
  return found;
}

void judge(trial& t) {
  const std::string program = build_sanitized(t);
  t.ran("1000 goroutines that add to a plain int, and to an atomic, under ThreadSanitizer");
  const finding plain = run_sanitized(program, "plain");
  const finding atomic = run_sanitized(program, "atomic");
  t.measured("plain_reports", plain.races);
  t.measured("atomic_reports", atomic.races);
  t.record(t.beside(1, {"1000"}));
  t.check(plain.races > 0 && plain.summary.find("race.cpp") != std::string::npos,
          text("plain: %g reports%s%s", plain.races, plain.summary.empty() ? "" : ", ", plain.summary.c_str()));
  t.check(atomic.races == 0,
          text("atomic: %g reports%s%s", atomic.races, atomic.summary.empty() ? "" : ", ", atomic.summary.c_str()));
}

const registration entry_e08(entry{
    .id = "E08",
    .title = "The racy counter under ThreadSanitizer",
    .seed = k_essay_document,
    .target = "the plain counter reported as a data race, the atomic one not",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
