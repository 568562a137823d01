// What does a channel operation cost: a hand-off, a buffered one, one nobody waits for, a pipe, a crowd?
// Layer: bench. What it is for and the same on pirn: bench/pirn/channels.cpp.

#include <vector>

#include "bench.h"
#include "fibers.h"

namespace pirn_bench {
namespace {

using boost::fibers::channel_op_status;
using boost::fibers::fiber;
using buffered = boost::fibers::buffered_channel<number>;
using unbuffered = boost::fibers::unbuffered_channel<number>;

// Its buffered channels take a power of two and hold one item less: 2 is a buffer of one, 128 one of 127.

// n round trips; the sum of the answers.
template <class Channel>
number play(number n, Channel& ping, Channel& pong) {
  fiber partner = start([&ping, &pong] {
    for (const number v : ping) pong.push(v + 1);
    pong.close();
  });
  number sum = 0;
  for (number i = 0; i < n; ++i) {
    ping.push(i);
    sum += pong.value_pop();
  }
  ping.close();
  number rest = 0;
  const bool closed = pong.pop(rest) == channel_op_status::closed;
  partner.join();
  return closed ? sum : -1;
}

number play_buffered(number n) {
  buffered ping(2);
  buffered pong(2);
  return play(n, ping, pong);
}

number play_unbuffered(number n) {
  unbuffered ping;
  unbuffered pong;
  return play(n, ping, pong);
}

void pingpong(run_state& r, number (*play_once)(number)) {
  const number n = r.count(100'000, 100);
  const double ns = r.median_ns(7, [n, play_once] {
    const number sum = play_once(n);
    if (sum != n * (n + 1) / 2) fail("sum of the answers is %ld", static_cast<long>(sum));
  });
  r.report(ns / static_cast<double>(n));
}

void pingpong_unbuffered(run_state& r) { pingpong(r, play_unbuffered); }
void pingpong_buffered1(run_state& r) { pingpong(r, play_buffered); }

// One pair per proc, each on channels of its own.
void pingpong_pairs(run_state& r) {
  const number n = r.count(100'000, 100);
  std::vector<number> sums(static_cast<std::size_t>(r.procs()));
  const double ns = r.median_ns(7, [n, &sums] {
    std::vector<fiber> pairs;
    pairs.reserve(sums.size());
    for (number& mine : sums) {
      pairs.push_back(start([&mine, n] { mine = play_buffered(n); }));
    }
    for (fiber& pair : pairs) pair.join();
    for (const number sum : sums) {
      if (sum != n * (n + 1) / 2) fail("sum of a pair's answers is %ld", static_cast<long>(sum));
    }
  });
  r.report(ns / static_cast<double>(n));
}

void chan_uncontended(run_state& r) {
  constexpr number k_items = 100;
  const number n = r.count(5000, 10);
  buffered c(128);
  const double ns = r.median_ns(7, [n, &c] {
    number sum = 0;
    for (number i = 0; i < n; ++i) {
      for (number k = 0; k < k_items; ++k) c.push(k);
      for (number k = 0; k < k_items; ++k) sum += c.value_pop();
    }
    number rest = 0;
    if (sum != n * (k_items * (k_items - 1) / 2) || c.try_pop(rest) != channel_op_status::empty) {
      fail("sum of the values is %ld", static_cast<long>(sum));
    }
  });
  r.report(ns / static_cast<double>(2 * k_items * n));
}

void chan_prodcons(run_state& r) {
  const number n = r.count(500'000, 1000);
  const double ns = r.median_ns(7, [n] {
    buffered c(128);
    fiber producer = start([&c, n] {
      for (number i = 0; i < n; ++i) c.push(i);
      c.close();
    });
    number expected = 0;
    number strays = 0;
    for (const number v : c) {
      if (v != expected) ++strays;
      ++expected;
    }
    producer.join();
    if (expected != n || strays != 0) {
      fail("%ld items arrived, %ld out of order", static_cast<long>(expected), static_cast<long>(strays));
    }
  });
  r.report(ns / static_cast<double>(n));
}

void chan_mpmc(run_state& r) {
  constexpr int k_crowd = 8;
  const number each = r.count(50'000, 100);
  const number n = k_crowd * each;
  const double ns = r.median_ns(5, [each, n] {
    buffered c(128);
    buffered sums(2 * k_crowd);
    std::vector<fiber> producers;
    std::vector<fiber> consumers;
    producers.reserve(k_crowd);
    consumers.reserve(k_crowd);
    for (number p = 0; p < k_crowd; ++p) {
      producers.push_back(start([&c, p, each] {
        for (number i = 0; i < each; ++i) c.push(p * each + i);
      }));
    }
    for (int k = 0; k < k_crowd; ++k) {
      consumers.push_back(start([&c, &sums] {
        number sum = 0;
        for (const number v : c) sum += v;
        sums.push(sum);
      }));
    }
    for (fiber& producer : producers) producer.join();
    c.close();
    number total = 0;
    for (int k = 0; k < k_crowd; ++k) total += sums.value_pop();
    for (fiber& consumer : consumers) consumer.join();
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
