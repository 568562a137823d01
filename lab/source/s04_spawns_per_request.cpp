// S04: a handler that starts four goroutines for each request, and one that gives the four subtasks to workers that
// stay.
#include <pirn/pirn.h>

#include <array>
#include <cstdint>
#include <vector>

#include "support/forms.h"
#include "support/latencies.h"

namespace lab {
namespace {

constexpr int k_subtasks = 4;
constexpr int k_steps = 100;  // of a subtask, about 100 ns

struct request {
  std::uint64_t id;
};
using results = std::array<std::uint64_t, k_subtasks>;

std::uint64_t subtask(const request& r, int kind) {
  std::uint64_t x = r.id + static_cast<std::uint64_t>(kind);
  for (int i = 0; i < k_steps; ++i) x = x * 6364136223846793005U + 1442695040888963407U;
  return x;
}

std::uint64_t combined(const results& parts) { return parts[0] ^ parts[1] ^ parts[2] ^ parts[3]; }

std::uint64_t with_spawns(const request& r) {
  results parts;
  pirn::wait_group wg;
  wg.add(k_subtasks);
  for (int kind = 0; kind < k_subtasks; ++kind) {
    pirn::go([&, kind] {
      parts[static_cast<std::size_t>(kind)] = subtask(r, kind);
      wg.done();
    });
  }
  wg.wait();
  return combined(parts);
}

// A goroutine for each kind of subtask, for the whole run.
class pool {
 public:
  pool() {
    for (int kind = 0; kind < k_subtasks; ++kind) {
      jobs_.emplace_back(k_buffer);
      ended_.go([in = jobs_.back(), kind] {
        for (const job& j : in) {
          *j.result = subtask(*j.what, kind);
          j.wg->done();
        }
      });
    }
  }
  ~pool() {
    for (const job_chan& one : jobs_) one.close();
    ended_.wait();
  }
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;

  std::uint64_t handle(const request& r) const {
    results parts;
    pirn::wait_group wg;
    wg.add(k_subtasks);
    for (std::size_t kind = 0; kind < k_subtasks; ++kind) jobs_[kind].send({&r, &parts[kind], &wg});
    wg.wait();
    return combined(parts);
  }

 private:
  struct job {
    const request* what;
    std::uint64_t* result;
    pirn::wait_group* wg;
  };
  using job_chan = pirn::chan<job>;
  static constexpr int k_buffer = 64;

  std::vector<job_chan> jobs_;
  pirn::wait_group ended_;
};

struct load {
  int clients;
  std::vector<request> requests;        // of each client
  std::vector<std::uint64_t> expected;  // answers
};

load make_load(int clients, int requests) {
  load l{clients, {}, {}};
  for (int i = 0; i < requests; ++i) {
    const request r{static_cast<std::uint64_t>(i)};
    results parts;
    for (int kind = 0; kind < k_subtasks; ++kind) parts[static_cast<std::size_t>(kind)] = subtask(r, kind);
    l.requests.push_back(r);
    l.expected.push_back(combined(parts));
  }
  return l;
}

// Every client has one request under way at a time. How long each took.
template <typename Handle>
latencies serve(const load& l, const Handle& handle) {
  std::vector<latencies> each(static_cast<std::size_t>(l.clients));
  each_worker(l.clients, [&](int client) {
    for (std::size_t i = 0; i < l.requests.size(); ++i) {
      const stopwatch watch;
      const std::uint64_t answer = handle(l.requests[i]);
      each[static_cast<std::size_t>(client)].add(watch.ns());
      require(answer == l.expected[i], "a wrong answer");
    }
  });
  latencies all;
  for (const latencies& one : each) all.add(one);
  return all;
}

// Arguments: CLIENTS REQUESTS ROUNDS.
int probe(arguments args) {
  const load l = make_load(int_argument(args, 0), int_argument(args, 1));
  const int rounds = int_argument(args, 2);
  return pirn::run([&] {
    const pool workers;
    std::vector<latencies> spawned;
    std::vector<latencies> pooled;
    for (int i = 0; i < rounds; ++i) {
      spawned.push_back(serve(l, with_spawns));
      pooled.push_back(serve(l, [&workers](const request& r) { return workers.handle(r); }));
    }
    emit_latencies("spawned_", spawned);
    emit_latencies("pooled_", pooled);
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  const int requests = t.pick(50000, 10000);
  t.ran(
      text("4 clients, %d requests each of 4 subtasks of about 100 ns: spawned, and by workers that stay; in turns, "
           "%d fresh programs",
           requests, repeats));
  const paired both = t.beside(repeats, {"4", std::to_string(requests), std::to_string(t.pick(5, 3))});
  t.record(both);
  judge_forms(t, both, {.slow = "spawned_mean_ns", .improved = "pooled_mean_ns", .ratio = 1.5});
  judge_forms(t, both, {.slow = "spawned_p99_ns", .improved = "pooled_p99_ns", .ratio = 1});
}

const registration entry_s04(entry{
    .id = "S04",
    .title = "Four spawns for each request, and workers that stay",
    .seed = k_source_document,
    .target = "workers >= 1.5x cheaper a request and with a lower p99, or our spawning form at most a third of Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
