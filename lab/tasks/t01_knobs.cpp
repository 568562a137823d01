// T01: print the runtime's knobs at startup, and see the environment, the affinity mask and a CPU quota change them.
#include <pirn/pirn.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "support/cpu_quota.h"
#include "support/probe.h"
#include "support/proc_files.h"
#include "support/trial.h"

namespace lab {
namespace {

// The document's program; the three parked goroutines show num_goroutine() counting.
int probe(arguments) {
  return pirn::run([] {
    emit("version", std::string(pirn::runtime::version()));
    emit("num_cpu", pirn::runtime::num_cpu());
    emit("gomaxprocs", pirn::runtime::gomaxprocs());
    emit("num_goroutine", pirn::runtime::num_goroutine());

    pirn::chan<void> gate;
    pirn::wait_group ended;
    for (int i = 0; i < 3; ++i) {
      ended.go([gate] { gate.recv(); });
    }
    emit("num_goroutine_with_3", pirn::runtime::num_goroutine());
    gate.close();
    ended.wait();
  });
}

launch with_gomaxprocs(std::optional<std::string> value, bool one_cpu = false) {
  launch how;
  how.environment = {{"GOMAXPROCS", std::move(value)}};
  how.one_cpu = one_cpu;
  return how;
}

void expect(trial& t, const std::string& what, double seen, double wanted) {
  t.check(seen == wanted, text("%s %g%s", what.c_str(), seen, seen == wanted ? "" : text(", not %g", wanted).c_str()));
}

// One run of both programs; records their gomaxprocs.
readings vary(trial& t, const std::string& key, const launch& how) {
  readings seen = t.probe({}, how);
  t.measured("gomaxprocs_" + key, seen.number("gomaxprocs"));
  if (const std::optional<readings> go = t.twin({}, how)) t.go("gomaxprocs_" + key, go->number("gomaxprocs"));
  return seen;
}

// A quota counts rounded up to whole CPUs, never above the CPUs there are, and gives way to the environment.
void judge_quotas(trial& t, int cpus) {
  std::optional<cpu_quota> group;
  try {
    group.emplace();
  } catch (const probe_error& error) {
    t.measured("quota", std::string("not tried: ") + error.what());
    return;
  }
  t.ran("under CPU quotas of 0.5, 1 and 1.5, and of 1 with GOMAXPROCS=8");
  launch how = with_gomaxprocs(std::nullopt);
  how.control_group = group->directory();
  for (const double quota : {0.5, 1.0, 1.5}) {
    group->set(quota);
    const readings seen = vary(t, text("quota_%g", quota), how);
    expect(t, text("a quota of %g: gomaxprocs", quota), seen.number("gomaxprocs"),
           std::min<double>(std::ceil(quota), cpus));
    expect(t, text("a quota of %g: num_cpu", quota), seen.number("num_cpu"), cpus);
  }
  group->set(1);
  how.environment = {{"GOMAXPROCS", "8"}};
  expect(t, "a quota of 1 and GOMAXPROCS=8: gomaxprocs", vary(t, "quota_1_env_8", how).number("gomaxprocs"), 8);
}

void judge(trial& t) {
  t.ran("the program as it is, with GOMAXPROCS=1, 8 and a word, and confined to one CPU");
  t.record(t.beside(1, {}, with_gomaxprocs(std::nullopt)));

  const readings plain = t.probe({}, with_gomaxprocs(std::nullopt));
  const int cpus = allowed_cpus();
  t.check(!plain.text("version").empty(), "version " + plain.text("version"));
  expect(t, "num_cpu", plain.number("num_cpu"), cpus);
  expect(t, "gomaxprocs", plain.number("gomaxprocs"), cpus);
  expect(t, "num_goroutine of a fresh program", plain.number("num_goroutine"), 1);
  expect(t, "with three more", plain.number("num_goroutine_with_3"), 4);

  struct variation {
    const char* name;
    launch how;
    int gomaxprocs;
    int cpus;
  };
  const variation variations[] = {
      {"GOMAXPROCS=1", with_gomaxprocs("1"), 1, cpus},
      {"GOMAXPROCS=8", with_gomaxprocs("8"), 8, cpus},
      {"GOMAXPROCS=eight (not a number: ignored)", with_gomaxprocs("eight"), cpus, cpus},
      {"one CPU", with_gomaxprocs(std::nullopt, true), 1, 1},
      {"one CPU and GOMAXPROCS=8", with_gomaxprocs("8", true), 8, 1},
  };
  const char* keys[] = {"env_1", "env_8", "env_word", "one_cpu", "one_cpu_env_8"};
  for (std::size_t i = 0; i < std::size(variations); ++i) {
    const variation& v = variations[i];
    const readings seen = vary(t, keys[i], v.how);
    expect(t, std::string(v.name) + ": gomaxprocs", seen.number("gomaxprocs"), v.gomaxprocs);
    expect(t, std::string(v.name) + ": num_cpu", seen.number("num_cpu"), v.cpus);
  }
  judge_quotas(t, cpus);
}

const registration entry_t01(entry{
    .id = "T01",
    .title = "Print the scheduler's knobs at startup",
    .seed = k_tasks_document,
    .target = "version, num_cpu, gomaxprocs, num_goroutine obey GOMAXPROCS, the affinity mask and a CPU quota",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
