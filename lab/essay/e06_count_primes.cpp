// E06: CPU-bound work with a goroutine per number, and bounded to one worker per P.
#include <pirn/pirn.h>

#include <atomic>
#include <cstdint>
#include <numeric>
#include <vector>

#include "support/probe.h"
#include "support/trial.h"

namespace lab {
namespace {

using numbers = std::vector<std::uint64_t>;

bool is_prime(std::uint64_t n) {
  if (n < 2) return false;
  for (std::uint64_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return true;
}

std::int64_t count_per_number(const numbers& all) {
  std::atomic<std::int64_t> count{0};
  pirn::wait_group wg;
  wg.add(static_cast<int>(all.size()));
  for (const std::uint64_t n : all) {
    pirn::go([n, &count, &wg] {
      if (is_prime(n)) ++count;
      wg.done();
    });
  }
  wg.wait();
  return count;
}

std::int64_t count_bounded(const numbers& all) {
  const int workers = pirn::runtime::gomaxprocs();
  pirn::chan<std::uint64_t> jobs;
  pirn::chan<std::int64_t> results(workers);
  pirn::wait_group wg;
  for (int i = 0; i < workers; ++i) {
    wg.go([jobs, results] {
      std::int64_t local = 0;
      for (const std::uint64_t n : jobs) {
        if (is_prime(n)) ++local;
      }
      results.send(local);
    });
  }
  for (const std::uint64_t n : all) jobs.send(n);
  jobs.close();
  wg.wait();
  results.close();
  std::int64_t total = 0;
  for (const std::int64_t partial : results) total += partial;
  return total;
}

// How many primes there are up to n, by another method.
std::int64_t sieve(std::size_t n) {
  std::vector<bool> composite(n + 1);
  std::int64_t primes = 0;
  for (std::size_t i = 2; i <= n; ++i) {
    if (composite[i]) continue;
    ++primes;
    for (std::size_t multiple = i * i; multiple <= n; multiple += i) composite[multiple] = true;
  }
  return primes;
}

int probe(arguments args) {
  numbers all(static_cast<std::size_t>(int_argument(args, 0)));
  std::iota(all.begin(), all.end(), 1);
  const int rounds = int_argument(args, 1);
  return pirn::run([&] {
    const auto timed_ms = [&](std::int64_t (*count)(const numbers&), std::int64_t& found) {
      const stopwatch watch;
      found = count(all);
      return watch.ms();
    };
    std::vector<double> per_number;
    std::vector<double> bounded;
    std::int64_t per_number_primes = 0;
    std::int64_t bounded_primes = 0;
    for (int i = 0; i < rounds; ++i) {
      per_number.push_back(timed_ms(count_per_number, per_number_primes));
      bounded.push_back(timed_ms(count_bounded, bounded_primes));
    }
    emit("per_number_ms", median(per_number));
    emit("bounded_ms", median(bounded));
    emit("per_number_primes", static_cast<double>(per_number_primes));
    emit("bounded_primes", static_cast<double>(bounded_primes));
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  t.ran(text("100 000 numbers, a goroutine for each, then a worker per P, in turns, %d fresh programs", repeats));
  const paired both = t.beside(repeats, {"100000", std::to_string(t.pick(5, 3))});
  t.record(both);
  const double primes = static_cast<double>(sieve(100000));
  for (const char* name : {"per_number_primes", "bounded_primes"}) {
    const double found = both.pirn.number(name);
    t.check(found == primes,
            text("%s %g%s", name, found, found == primes ? "" : text(", a sieve finds %g", primes).c_str()));
  }
  const double slow = both.pirn.number("per_number_ms");
  const double good = both.pirn.number("bounded_ms");
  t.measured("per_number_to_bounded", slow / good);
  if (both.go) t.go("per_number_to_bounded", both.go->number("per_number_ms") / both.go->number("bounded_ms"));
  t.check_at_most("a goroutine per number over bounded", slow / good, 2, "x");
}

const registration entry_e06(entry{
    .id = "E06",
    .title = "countPrimes: a goroutine per number, and bounded",
    .seed = k_essay_document,
    .target = "both correct; the per-number form within 2x of the bounded one",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
