// S13: handlers that ask for the number of goroutines on every request, on every 1024th, and never; while nobody starts
// goroutines, and while every request does.
#include <pirn/pirn.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "support/forms.h"

namespace lab {
namespace {

constexpr int k_handlers = 8;
constexpr int k_sample = 1024;
constexpr int k_steps = 64;  // of a request, about 70 ns

enum class counting { always, sampled, never };

// The gauge that the handlers set.
std::atomic<int> gauge{0};

// Straight on, without a loop: whether the processor foresees where a loop ends costs more than the count does.
template <std::size_t... Steps>
std::uint64_t handle_in_steps(std::uint64_t x, std::index_sequence<Steps...>) {
  ((x = x * 6364136223846793005U + Steps, opaque(x)), ...);
  return x;
}
std::uint64_t handle(std::uint64_t id) { return handle_in_steps(id, std::make_index_sequence<k_steps>()); }

void serve(int requests, counting how, bool spawns) {
  each_worker(k_handlers, [=](int) {
    pirn::wait_group children;
    int sum = 0;
    for (int i = 0; i < requests; ++i) {
      if (how == counting::always || (how == counting::sampled && i % k_sample == 0)) {
        sum += pirn::runtime::num_goroutine();
      }
      std::uint64_t answer = handle(static_cast<std::uint64_t>(i));
      opaque(answer);
      if (!spawns) continue;
      children.go([] {});
      if (i % 64 == 63) children.wait();
    }
    children.wait();
    gauge.store(sum, std::memory_order_relaxed);
  });
}

// Nothing but the count, by all.
void count_only(int counts) {
  each_worker(k_handlers, [=](int) {
    int sum = 0;
    for (int i = 0; i < counts; ++i) sum += pirn::runtime::num_goroutine();
    require(sum >= counts, "less than one goroutine");
  });
}

// Arguments: REQUESTS of each handler, ROUNDS.
int probe(arguments args) {
  const int requests = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  return pirn::run([=] {
    const auto form = [=](counting how, bool spawns) { return [=] { serve(requests, how, spawns); }; };
    const double operations = static_cast<double>(k_handlers) * requests;
    measure_in_turns(rounds, operations,
                     {{"quiet_always_ns", form(counting::always, false)},
                      {"quiet_sampled_ns", form(counting::sampled, false)},
                      {"quiet_never_ns", form(counting::never, false)},
                      {"spawning_always_ns", form(counting::always, true)},
                      {"spawning_sampled_ns", form(counting::sampled, true)},
                      {"spawning_never_ns", form(counting::never, true)}});
    // So many that it does not matter how long the handlers take to begin.
    const int counts = 50 * requests;
    measure_in_turns(rounds, static_cast<double>(k_handlers) * counts,
                     {{"count_only_ns", [=] { count_only(counts); }}});
    emit("gomaxprocs", pirn::runtime::gomaxprocs());
  });
}

// What the counts of a form cost a request: all Ps are at it at once.
double cost(const readings& r, const std::string& load, const std::string& how) {
  return (r.number(load + how) - r.number(load + "never_ns")) * r.number("gomaxprocs");
}

void record_costs(const readings& r, const std::function<void(const std::string&, double)>& to) {
  to("count_cost_ns", r.number("count_only_ns") * r.number("gomaxprocs"));
  for (const std::string load : {"quiet_", "spawning_"}) {
    to(load + "cost_ns", cost(r, load, "always_ns"));
    to(load + "sampled_cost_ns", cost(r, load, "sampled_ns"));
  }
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  const int requests = t.pick(20000, 5000);
  t.ran(
      text("%d handlers, %d requests each: num_goroutine() on all, every %dth and none, with and without a goroutine "
           "for each request, in turns, %d fresh programs",
           k_handlers, requests, k_sample, repeats));
  const paired both = t.beside(repeats, {std::to_string(requests), std::to_string(t.pick(11, 5))});
  t.record(both);
  record_costs(both.pirn, [&t](const std::string& name, double value) { t.measured(name, value); });
  if (both.go) record_costs(*both.go, [&t](const std::string& name, double value) { t.go(name, value); });
  t.check_at_most("a count", both.pirn.number("count_only_ns") * both.pirn.number("gomaxprocs"), 5, "ns");
  // Beside spawns the other Ps' counters have to be fetched from there, whoever counts them: what sampling saves.
  const double hot = cost(both.pirn, "spawning_", "always_ns");
  const double sampled = cost(both.pirn, "spawning_", "sampled_ns");
  t.check(sampled < hot, text("beside spawns %.3g ns a request, %.2g ns on a sample", hot, sampled));
}

const registration entry_s13(entry{
    .id = "S13",
    .title = "Counting goroutines on every request, and on a sample",
    .seed = k_source_document,
    .target = "a count costs at most 5 ns; beside spawns, where it is a cache miss, what it costs is shown and "
              "sampling cures",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
