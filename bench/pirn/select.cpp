// What does a select cost, when it need not wait and when it must?
// Not for: selects with many cases; they cost more in every language.
// Layer: bench. The same in Go: bench/go/select.go.

#include <pirn/pirn.h>

#include "bench.h"

namespace pirn_bench {
namespace {

// One of two channels is ready; the case that runs makes the other one ready. An op is the select and that send.
void select2_ready(run_state& r) {
  const number n = r.count(200'000, 100);
  const pirn::chan<number> a(1);
  const pirn::chan<number> b(1);
  const double ns = r.median_ns(7, [n, &a, &b] {
    a.send(0);
    number from_a = 0;
    number from_b = 0;
    number v = 0;
    for (number i = 0; i < n; ++i) {
      if (pirn::select(pirn::recv(a, v), pirn::recv(b, v)) == 0) {
        ++from_a;
        b.send(v + 1);
      } else {
        ++from_b;
        a.send(v + 1);
      }
    }
    pirn::select(pirn::recv(a, v), pirn::recv(b, v));
    if (v != n || from_a + from_b != n || from_a - from_b > 1 || from_a < from_b) {
      fail("%ld hops, %ld + %ld", static_cast<long>(v), static_cast<long>(from_a), static_cast<long>(from_b));
    }
  });
  r.report(ns / static_cast<double>(n));
}

// A receive from an empty channel and a send to a full one, each with a default that runs. An op is one select.
void select_default(run_state& r) {
  const number n = r.count(1'000'000, 100);
  const pirn::chan<number> empty(1);
  const pirn::chan<number> full(1);
  full.send(7);
  const double ns = r.median_ns(7, [n, &empty, &full] {
    number defaults = 0;
    for (number i = 0; i < n; ++i) {
      if (pirn::select(pirn::recv(empty), pirn::otherwise) == 1) ++defaults;
      if (pirn::select(pirn::send(full, i), pirn::otherwise) == 1) ++defaults;
    }
    if (defaults != 2 * n) fail("%ld defaults", static_cast<long>(defaults));
  });
  if (empty.len() != 0 || full.recv() != 7) fail("a channel changed");
  r.report(ns / static_cast<double>(2 * n));
}

// Two goroutines answer each other over two channels in turn; each waits for both, and the value is never there yet.
// An op is a round trip: two selects that park, two sends that wake one.
void select_blocking(run_state& r) {
  const number n = r.count(100'000, 100);
  const double ns = r.median_ns(7, [n] {
    const pirn::chan<number> ping[2] = {pirn::chan<number>(1), pirn::chan<number>(1)};
    const pirn::chan<number> pong[2] = {pirn::chan<number>(1), pirn::chan<number>(1)};
    pirn::go([a = ping[0], b = ping[1], x = pong[0], y = pong[1], n] {
      for (number i = 0; i < n; ++i) {
        number v = 0;
        if (pirn::select(pirn::recv(a, v), pirn::recv(b, v)) == 0) {
          x.send(v + 1);
        } else {
          y.send(v + 1);
        }
      }
    });
    number sum = 0;
    number strays = 0;
    for (number i = 0; i < n; ++i) {
      ping[i % 2].send(i);
      number v = 0;
      if (pirn::select(pirn::recv(pong[0], v), pirn::recv(pong[1], v)) != i % 2) ++strays;
      sum += v;
    }
    if (sum != n * (n + 1) / 2 || strays != 0) {
      fail("sum of the answers is %ld, %ld strays", static_cast<long>(sum), static_cast<long>(strays));
    }
  });
  r.report(ns / static_cast<double>(n));
}

constexpr workload k_workloads[] = {
    {"select2_ready", "ns/op", select2_ready},
    {"select_default", "ns/op", select_default},
    {"select_blocking", "ns/round trip", select_blocking},
};

}  // namespace

std::span<const workload> select_workloads() { return k_workloads; }

}  // namespace pirn_bench
