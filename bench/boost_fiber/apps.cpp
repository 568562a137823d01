// What do small whole programs made of fibers and channels cost: a wide tree and a long pipeline?
// Layer: bench. What it is for and the same on pirn: bench/pirn/apps.cpp.

#include <array>
#include <memory>
#include <vector>

#include "bench.h"
#include "fibers.h"

namespace pirn_bench {
namespace {

using boost::fibers::fiber;
using buffered = boost::fibers::buffered_channel<number>;
using unbuffered = boost::fibers::unbuffered_channel<number>;

// A node of the tree sends up the sum of its leaves' numbers; it has ten children unless it is a leaf. As in
// Boost's own program of that name, there is room for all children in the channel.
void skynet_node(buffered& up, number first, number leaves) {
  if (leaves == 1) {
    up.push(first);
    return;
  }
  buffered sums(16);
  std::array<fiber, 10> children;
  for (number k = 0; k < 10; ++k) {
    children[static_cast<std::size_t>(k)] =
        start([&sums, first, leaves, k] { skynet_node(sums, first + k * (leaves / 10), leaves / 10); });
  }
  number sum = 0;
  for (int k = 0; k < 10; ++k) sum += sums.value_pop();
  for (fiber& child : children) child.join();  // they may still be leaving the channel
  up.push(sum);
}

void skynet(run_state& r) {
  const number leaves = r.count(1'000'000, 100);
  std::vector<double> times;
  for (number round = -1; round < r.count(3, 1); ++round) {
    const stopwatch watch;
    buffered root(2);
    fiber top = start([&root, leaves] { skynet_node(root, 0, leaves); });
    const number sum = root.value_pop();
    top.join();
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

// One fiber per prime, each dropping its multiples. The numbers end at the last prime wanted, so that the whole chain
// comes to an end and can be run again.
primes sieve_once(number last) {
  using boost::fibers::channel_op_status;
  std::vector<fiber> chain;
  auto numbers = std::make_shared<unbuffered>();
  chain.push_back(start([source = numbers, last] {
    for (number i = 2; i <= last; ++i) source->push(i);
    source->close();
  }));
  primes found;
  number prime = 0;
  while (numbers->pop(prime) == channel_op_status::success) {
    ++found.count;
    found.largest = prime;
    auto out = std::make_shared<unbuffered>();
    chain.push_back(start([in = numbers, out, prime] {
      for (const number v : *in) {
        if (v % prime != 0) out->push(v);
      }
      out->close();
    }));
    numbers = std::move(out);
  }
  for (fiber& one : chain) one.join();
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
