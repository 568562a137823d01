// What does a channel operation cost: a hand-off, a buffered one, one nobody waits for, a pipe, a crowd?
// Not for: channels of large values, nor for programs whose goroutines compute between operations; there the
// scheduler's placement decides, not the channel.
// Layer: bench. The same in Go: bench/go/channels.go.

#include <pirn/pirn.h>

#include <vector>

#include "bench.h"

namespace pirn_bench {
namespace {

// n round trips; the sum of the answers.
number play(number n, int capacity) {
  const pirn::chan<number> ping(capacity);
  const pirn::chan<number> pong(capacity);
  pirn::go([ping, pong] {
    for (const number v : ping) pong.send(v + 1);
    pong.close();
  });
  number sum = 0;
  for (number i = 0; i < n; ++i) {
    ping.send(i);
    sum += *pong.recv();
  }
  ping.close();
  return pong.recv() ? -1 : sum;
}

void pingpong(run_state& r, int capacity) {
  const number n = r.count(100'000, 100);
  const double ns = r.median_ns(7, [n, capacity] {
    const number sum = play(n, capacity);
    if (sum != n * (n + 1) / 2) fail("sum of the answers is %ld", static_cast<long>(sum));
  });
  r.report(ns / static_cast<double>(n));
}

void pingpong_unbuffered(run_state& r) { pingpong(r, 0); }
void pingpong_buffered1(run_state& r) { pingpong(r, 1); }

// One pair per proc, each on channels of its own. Perfect scaling takes no longer for more pairs on more CPUs.
void pingpong_pairs(run_state& r) {
  const number n = r.count(100'000, 100);
  std::vector<number> sums(static_cast<std::size_t>(r.procs()));
  const double ns = r.median_ns(7, [n, &sums] {
    pirn::wait_group wg;
    wg.add(static_cast<int>(sums.size()));
    for (number& mine : sums) {
      pirn::go([&wg, &mine, n] {
        mine = play(n, 1);
        wg.done();
      });
    }
    wg.wait();
    for (const number sum : sums) {
      if (sum != n * (n + 1) / 2) fail("sum of a pair's answers is %ld", static_cast<long>(sum));
    }
  });
  r.report(ns / static_cast<double>(n));
}

void chan_uncontended(run_state& r) {
  constexpr number k_capacity = 100;
  const number n = r.count(5000, 10);
  const pirn::chan<number> c(k_capacity);
  const double ns = r.median_ns(7, [n, &c] {
    number sum = 0;
    for (number i = 0; i < n; ++i) {
      for (number k = 0; k < k_capacity; ++k) c.send(k);
      for (number k = 0; k < k_capacity; ++k) sum += *c.recv();
    }
    if (sum != n * (k_capacity * (k_capacity - 1) / 2) || c.len() != 0) {
      fail("sum of the values is %ld", static_cast<long>(sum));
    }
  });
  r.report(ns / static_cast<double>(2 * k_capacity * n));
}

void chan_prodcons(run_state& r) {
  const number n = r.count(500'000, 1000);
  const double ns = r.median_ns(7, [n] {
    const pirn::chan<number> c(128);
    pirn::go([c, n] {
      for (number i = 0; i < n; ++i) c.send(i);
      c.close();
    });
    number expected = 0;
    for (const number v : c) {
      if (v != expected) fail("got %ld in place of %ld", static_cast<long>(v), static_cast<long>(expected));
      ++expected;
    }
    if (expected != n) fail("%ld items arrived", static_cast<long>(expected));
  });
  r.report(ns / static_cast<double>(n));
}

void chan_mpmc(run_state& r) {
  constexpr int k_crowd = 8;
  const number each = r.count(50'000, 100);
  const number n = k_crowd * each;
  const double ns = r.median_ns(5, [each, n] {
    const pirn::chan<number> c(128);
    const pirn::chan<number> sums(k_crowd);
    pirn::wait_group producers;
    producers.add(k_crowd);
    for (number p = 0; p < k_crowd; ++p) {
      pirn::go([c, &producers, p, each] {
        for (number i = 0; i < each; ++i) c.send(p * each + i);
        producers.done();
      });
    }
    for (int k = 0; k < k_crowd; ++k) {
      pirn::go([c, sums] {
        number sum = 0;
        for (const number v : c) sum += v;
        sums.send(sum);
      });
    }
    producers.wait();
    c.close();
    number total = 0;
    for (int k = 0; k < k_crowd; ++k) total += *sums.recv();
    if (total != n * (n - 1) / 2) fail("sum of the items is %ld", static_cast<long>(total));
  });
  r.report(ns / static_cast<double>(n));
}

constexpr workload k_workloads[] = {
    {"pingpong_unbuffered", "ns/round trip", pingpong_unbuffered},
    {"pingpong_buffered1", "ns/round trip", pingpong_buffered1},
    {"pingpong_pairs", "ns/round trip each", pingpong_pairs},
    {"chan_uncontended", "ns/op", chan_uncontended},
    {"chan_prodcons128", "ns/item", chan_prodcons},
    {"chan_mpmc8", "ns/item", chan_mpmc},
};

}  // namespace

std::span<const workload> channel_workloads() { return k_workloads; }

}  // namespace pirn_bench
