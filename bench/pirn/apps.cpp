// What do small whole programs made of goroutines and channels cost: a wide tree and a long pipeline?
// Not for: how such work should be written; both hand a few nanoseconds of work to a goroutine on purpose.
// Layer: bench. The same in Go: bench/go/apps.go.

#include <pirn/pirn.h>

#include "bench.h"

namespace pirn_bench {
namespace {

// A node of the tree sends up the sum of its leaves' numbers; it has ten children unless it is a leaf.
void skynet_node(pirn::send_chan<number> up, number first, number leaves) {
  if (leaves == 1) {
    up.send(first);
    return;
  }
  const pirn::chan<number> sums;
  for (number k = 0; k < 10; ++k) pirn::go(skynet_node, sums, first + k * (leaves / 10), leaves / 10);
  number sum = 0;
  for (int k = 0; k < 10; ++k) sum += *sums.recv();
  up.send(sum);
}

void skynet(run_state& r) {
  const number leaves = r.count(1'000'000, 100);
  std::vector<double> times;
  for (number round = -1; round < r.count(3, 1); ++round) {
    const stopwatch watch;
    const pirn::chan<number> root;
    pirn::go(skynet_node, root, number{0}, leaves);
    const number sum = *root.recv();
    const double took = watch.ms();
    if (sum != leaves * (leaves - 1) / 2) fail("sum of the leaves is %ld", static_cast<long>(sum));
    if (round >= 0) times.push_back(took);
  }
  r.report(median(std::move(times)));
}

struct primes {
  number count = 0;
  number largest = 0;
};

// One goroutine per prime, each dropping its multiples. The numbers end at the last prime wanted, so that the whole
// chain comes to an end and can be run again.
primes sieve_once(number last) {
  const pirn::chan<number> source;
  pirn::go([source, last] {
    for (number i = 2; i <= last; ++i) source.send(i);
    source.close();
  });
  primes found;
  pirn::chan<number> numbers = source;
  while (const auto prime = numbers.recv()) {
    ++found.count;
    found.largest = *prime;
    const pirn::chan<number> out;
    pirn::go([in = numbers, out, prime = *prime] {
      for (const number v : in) {
        if (v % prime != 0) out.send(v);
      }
      out.close();
    });
    numbers = out;
  }
  return found;
}

void sieve(run_state& r) {
  const number wanted = r.count(500, 10);
  const number last = r.count(3571, 29);
  const double ns = r.median_ns(3, [wanted, last] {
    const primes found = sieve_once(last);
    if (found.count != wanted || found.largest != last) {
      fail("%ld primes up to %ld", static_cast<long>(found.count), static_cast<long>(found.largest));
    }
  });
  r.report(ns / 1e6);
}

constexpr workload k_workloads[] = {
    {"skynet_1m", "ms", skynet},
    {"sieve_500", "ms", sieve},
};

}  // namespace

std::span<const workload> app_workloads() { return k_workloads; }

}  // namespace pirn_bench
