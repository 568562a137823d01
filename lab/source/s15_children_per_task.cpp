// S15: a worker that spawns three children for each task, one that calls the three in turn, and a pipeline of stages.
#include <pirn/pirn.h>

#include <cstdint>
#include <vector>

#include "support/allocations.h"
#include "support/forms.h"

namespace lab {
namespace {

constexpr int k_workers = 8;
constexpr int k_buffer = 1024;

struct task {
  std::uint64_t id;
  std::uint64_t parsed = 0;
  std::uint64_t valid = 0;
  std::uint64_t persisted = 0;
};
using tasks = std::vector<task>;
using task_chan = pirn::chan<task*>;

// Some nanoseconds each; none needs another's result, as in the document.
std::uint64_t mixed(std::uint64_t x) { return (x ^ (x >> 31)) * 0x9e3779b97f4a7c15U; }
void parse(task& t) { t.parsed = mixed(t.id + 1); }
void validate(task& t) { t.valid = mixed(t.id + 2); }
void persist(task& t) { t.persisted = mixed(t.id + 3); }

void with_children(task& t) {
  pirn::wait_group wg;
  wg.add(3);
  pirn::go([&] {
    parse(t);
    wg.done();
  });
  pirn::go([&] {
    validate(t);
    wg.done();
  });
  pirn::go([&] {
    persist(t);
    wg.done();
  });
  wg.wait();
}

void flat(task& t) {
  parse(t);
  validate(t);
  persist(t);
}

void feed(tasks& all, const task_chan& jobs) {
  for (task& t : all) jobs.send(&t);
  jobs.close();
}

void by_workers(tasks& all, void (*handle)(task&)) {
  const task_chan jobs(k_buffer);
  pirn::wait_group wg;
  for (int i = 0; i < k_workers; ++i) {
    wg.go([jobs, handle] {
      for (task* t : jobs) handle(*t);
    });
  }
  feed(all, jobs);
  wg.wait();
}

// One goroutine for each stage, for the whole run.
void by_pipeline(tasks& all) {
  const task_chan to_parse(k_buffer);
  const task_chan to_validate(k_buffer);
  const task_chan to_persist(k_buffer);
  pirn::wait_group wg;
  const auto stage = [&wg](void (*work)(task&), const task_chan& in, const task_chan& out) {
    wg.go([=] {
      for (task* t : in) {
        work(*t);
        if (out) out.send(t);
      }
      if (out) out.close();
    });
  };
  stage(parse, to_parse, to_validate);
  stage(validate, to_validate, to_persist);
  stage(persist, to_persist, task_chan(nullptr));
  feed(all, to_parse);
  wg.wait();
}

void check_and_clear(tasks& all) {
  for (task& t : all) {
    task expected{t.id};
    flat(expected);
    require(t.parsed == expected.parsed && t.valid == expected.valid && t.persisted == expected.persisted,
            "a task is not done");
    t = task{t.id};
  }
}

int probe(arguments args) {
  tasks all;
  for (int i = 0; i < int_argument(args, 0); ++i) all.push_back(task{static_cast<std::uint64_t>(i)});
  const int rounds = int_argument(args, 1);
  return pirn::run([&] {
    const auto check = [&] { check_and_clear(all); };
    const auto count = static_cast<double>(all.size());
    measure_in_turns(rounds, count,
                     {{"children_ns", [&] { by_workers(all, with_children); }, check},
                      {"flat_ns", [&] { by_workers(all, flat); }, check},
                      {"pipeline_ns", [&] { by_pipeline(all); }, check}});
    const allocation_count allocations;
    by_workers(all, flat);
    emit("flat_allocations", static_cast<double>(allocations.so_far()) / count);
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  const int n = t.pick(200000, 20000);
  t.ran(text("%d tasks by %d workers: three children each, flat, and three stages; in turns, %d fresh programs", n,
             k_workers, repeats));
  const paired both = t.beside(repeats, {std::to_string(n), std::to_string(t.pick(5, 3))});
  t.record(both);
  judge_forms(t, both, {.slow = "children_ns", .improved = "flat_ns", .ratio = 5});
  const double allocations = both.pirn.number("flat_allocations");
  t.check(allocations < 0.01, text("%.3g allocations a task when flat", allocations));
}

const registration entry_s15(entry{
    .id = "S15",
    .title = "Three children for each task, flat, and a pipeline",
    .seed = k_source_document,
    .target = "flat >= 5x cheaper and without allocations, or our slow form at most a third of Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
