// O05: a handler that starts a goroutine for each of its two fetches, and one that does the second fetch itself; both
// called 50 000 times a second.
#include <pirn/pirn.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "support/forms.h"
#include "support/latencies.h"

namespace lab {
namespace {

constexpr int k_clients = 4;
constexpr double k_rate = 50000;                 // calls a second, of all clients
constexpr std::chrono::microseconds k_tick(80);  // between two calls of a client
constexpr int k_steps = 1000;                    // of a fetch, about a microsecond

std::uint64_t fetch(std::uint64_t id, std::uint64_t from) {
  std::uint64_t x = id ^ from;
  for (int i = 0; i < k_steps; ++i) x = x * 6364136223846793005U + 1442695040888963407U;
  return x;
}

std::uint64_t handle_with_two(std::uint64_t id) {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  pirn::wait_group wg;
  wg.add(2);
  pirn::go([&] {
    a = fetch(id, 1);
    wg.done();
  });
  pirn::go([&] {
    b = fetch(id, 2);
    wg.done();
  });
  wg.wait();
  return a + b;
}

std::uint64_t handle_with_one(std::uint64_t id) {
  std::uint64_t b = 0;
  pirn::wait_group wg;
  wg.add(1);
  pirn::go([&] {
    b = fetch(id, 2);
    wg.done();
  });
  const std::uint64_t a = fetch(id, 1);
  wg.wait();
  return a + b;
}

// Goroutines are numbered as they are made, each P from a range of its own: the difference of two numbers is the count
// of those made between, give or take a range.
std::uint64_t newest_goid() {
  return pirn::spawn([] { return pirn::runtime::goid(); }).get();
}

struct run_of {
  latencies calls;
  double spawned_per_call = 0;
  double calls_per_second = 0;
};

run_of under_load(int ticks, std::uint64_t (*handle)(std::uint64_t)) {
  std::vector<latencies> each(k_clients);
  const std::uint64_t before = newest_goid();
  const auto start = pirn::now();
  const stopwatch whole;
  each_worker(k_clients, [&](int client) {
    latencies& mine = each[static_cast<std::size_t>(client)];
    for (int tick = 0; tick < ticks; ++tick) {
      pirn::sleep_until(start + tick * k_tick);
      const auto id = static_cast<std::uint64_t>(tick);
      const stopwatch watch;
      const std::uint64_t answer = handle(id);
      mine.add(watch.ns());
      require(answer == fetch(id, 1) + fetch(id, 2), "a wrong answer");
    }
  });
  const double calls = static_cast<double>(k_clients) * ticks;
  run_of result;
  result.calls_per_second = calls / (whole.ns() / 1e9);
  result.spawned_per_call = static_cast<double>(newest_goid() - before) / calls;
  for (const latencies& one : each) result.calls.add(one);
  return result;
}

int probe(arguments args) {
  const int ticks = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  return pirn::run([=] {
    std::vector<latencies> two;
    std::vector<latencies> one;
    std::vector<double> spawned_two;
    std::vector<double> spawned_one;
    std::vector<double> rate;
    for (int i = 0; i < rounds; ++i) {
      const run_of slow = under_load(ticks, handle_with_two);
      const run_of good = under_load(ticks, handle_with_one);
      two.push_back(slow.calls);
      one.push_back(good.calls);
      spawned_two.push_back(slow.spawned_per_call);
      spawned_one.push_back(good.spawned_per_call);
      rate.push_back(std::min(slow.calls_per_second, good.calls_per_second));
    }
    emit("calls_per_second", median(rate));
    emit("spawned_by_two", median(spawned_two));
    emit("spawned_by_one", median(spawned_one));
    emit_latencies("two_", two);
    emit_latencies("one_", one);
  });
}

void judge(trial& t) {
  const int repeats = t.pick(3, 1);
  const int ticks = t.pick(12500, 2500);
  t.ran(text("50 000 calls a second for %lld ms, two goroutines a call and one, in turns, %d fresh programs",
             static_cast<long long>((ticks * k_tick).count() / 1000), repeats));
  const paired both = t.beside(repeats, {std::to_string(ticks), "3"});
  t.record(both);
  const double rate = both.pirn.number("calls_per_second");
  t.check(rate >= 0.9 * k_rate, text("%.3g calls a second", rate));
  const double before = both.pirn.number("spawned_by_two");
  const double after = both.pirn.number("spawned_by_one");
  t.check(before >= 1.9 && after <= 0.55 * before,
          text("goroutines a call: %.3g with two, %.3g with one", before, after));
  // A tenth is what two runs of the same form differ by.
  for (const char* figure : {"p50_ns", "p99_ns"}) {
    const double slow = both.pirn.number(std::string("two_") + figure);
    const double good = both.pirn.number(std::string("one_") + figure);
    t.check(good <= 1.1 * slow, text("%s %.3g with one, %.3g with two", figure, good, slow));
  }
}

const registration entry_o05(entry{
    .id = "O05",
    .title = "Two goroutines a call, and one",
    .seed = k_optimise_document,
    .target = "at 50 000 calls a second half as many goroutines, latency not worse",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
