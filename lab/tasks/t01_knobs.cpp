// T01: print the runtime's knobs at startup, and see the environment and the affinity mask change them.
#include <pirn/pirn.h>

#include <string>

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

void judge(trial& t) {
  t.ran("the program as it is, with GOMAXPROCS=1, 8 and a word, and confined to one CPU");
  t.record(t.beside(1, {}, with_gomaxprocs(std::nullopt)));

  const readings plain = t.probe({}, with_gomaxprocs(std::nullopt));
  const int cpus = allowed_cpus();
  const auto expect = [&t](const std::string& what, double seen, double wanted) {
    t.check(seen == wanted,
            text("%s %g%s", what.c_str(), seen, seen == wanted ? "" : text(", not %g", wanted).c_str()));
  };
  t.check(!plain.text("version").empty(), "version " + plain.text("version"));
  expect("num_cpu", plain.number("num_cpu"), cpus);
  expect("gomaxprocs", plain.number("gomaxprocs"), cpus);
  expect("num_goroutine of a fresh program", plain.number("num_goroutine"), 1);
  expect("with three more", plain.number("num_goroutine_with_3"), 4);

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
    const readings seen = t.probe({}, v.how);
    const std::string key = std::string("gomaxprocs_") + keys[i];
    t.measured(key, seen.number("gomaxprocs"));
    if (const std::optional<readings> go = t.twin({}, v.how)) t.go(key, go->number("gomaxprocs"));
    expect(std::string(v.name) + ": gomaxprocs", seen.number("gomaxprocs"), v.gomaxprocs);
    expect(std::string(v.name) + ": num_cpu", seen.number("num_cpu"), v.cpus);
  }
}

const registration entry_t01(entry{
    .id = "T01",
    .title = "Print the scheduler's knobs at startup",
    .seed = k_tasks_document,
    .target = "version, num_cpu, gomaxprocs, num_goroutine obey GOMAXPROCS and the affinity mask",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
