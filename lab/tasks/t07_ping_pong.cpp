// T07: what handing a value to another goroutine and back costs, and what the same costs between threads.
#include <pirn/pirn.h>

#include <chrono>
#include <cstdint>
#include <optional>

#include "support/futex_ping_pong.h"
#include "support/probe.h"
#include "support/trial.h"

namespace lab {
namespace {

using pirn::chan;
using pirn::runtime::os_thread_lock;

struct setting {
  bool pinned;
  std::chrono::milliseconds length;
};

// The document's loop: one side of the exchange, until `done` closes.
void relay(const chan<int>& in, const chan<int>& out, const chan<void>& done, bool pinned, std::int64_t& trips) {
  std::optional<os_thread_lock> pin;
  if (pinned) pin.emplace();
  for (;;) {
    int v = 0;
    if (pirn::select(pirn::recv(in, v), pirn::recv(done)) == 1) return;
    out.send(v + 1);
    ++trips;
  }
}

double select_round_trip_ns(const setting& s) {
  chan<int> a(1);
  chan<int> b(1);
  chan<void> done;
  std::int64_t trips = 0;
  std::int64_t replies = 0;
  pirn::wait_group wg;
  const stopwatch watch;
  wg.go([&] { relay(a, b, done, s.pinned, trips); });
  wg.go([&] { relay(b, a, done, s.pinned, replies); });
  a.send(0);
  pirn::sleep_for(s.length);
  done.close();
  wg.wait();
  require(trips - replies <= 1 && replies - trips <= 1, "the two sides disagree on the number of exchanges");
  return watch.ns() / static_cast<double>(trips);
}

// No select: a pair of unbuffered channels. `done` is polled now and then, too seldom to weigh.
double bare_round_trip_ns(const setting& s) {
  chan<int> a;
  chan<int> b;
  chan<void> done;
  std::int64_t trips = 0;
  int last = 0;
  pirn::wait_group wg;
  const stopwatch watch;
  wg.go([&] {
    std::optional<os_thread_lock> pin;
    if (s.pinned) pin.emplace();
    for (const int v : a) b.send(v + 1);
  });
  wg.go([&] {
    std::optional<os_thread_lock> pin;
    if (s.pinned) pin.emplace();
    for (; trips % 64 != 0 || done.try_recv().status != pirn::chan_status::closed; ++trips) {
      a.send(last);
      last = b.recv().value_or(-1);
    }
    a.close();
  });
  pirn::sleep_for(s.length);
  done.close();
  wg.wait();
  require(last == static_cast<int>(trips), "a value was lost on the way");
  return watch.ns() / static_cast<double>(trips);
}

// Arguments: FORM PROCS PINNED MS, or futex TRIPS.
int probe(arguments args) {
  require(!args.empty(), "which form?");
  if (args[0] == "futex") {
    emit("round_trip_ns", futex_round_trip_ns(int_argument(args, 1)));
    return 0;
  }
  const setting s{int_argument(args, 2) == 1, std::chrono::milliseconds(int_argument(args, 3))};
  const bool bare = args[0] == "bare";
  return pirn::run({.gomaxprocs = int_argument(args, 1)},
                   [&] { emit("round_trip_ns", bare ? bare_round_trip_ns(s) : select_round_trip_ns(s)); });
}

void judge(trial& t) {
  const int repeats = t.pick(3, 1);
  const std::string judged_ms = std::to_string(t.pick(1000, 200));
  const std::string shown_ms = std::to_string(t.pick(300, 100));
  t.ran(
      text("ping-pong by select and by bare channel, on one P (%s ms) and two, unpinned and pinned, and by futex; "
           "median of %d",
           judged_ms.c_str(), repeats));
  struct variation {
    const char* name;
    const char* form;
    const char* procs;
    const char* pinned;
    bool judged;
  };
  const variation variations[] = {
      {"select_1p_ns", "select", "1", "0", true},         {"bare_1p_ns", "bare", "1", "0", true},
      {"select_2p_ns", "select", "2", "0", false},        {"bare_2p_ns", "bare", "2", "0", false},
      {"select_pinned_1p_ns", "select", "1", "1", false}, {"bare_pinned_1p_ns", "bare", "1", "1", false},
      {"select_pinned_2p_ns", "select", "2", "1", false}, {"bare_pinned_2p_ns", "bare", "2", "1", false},
  };
  for (const variation& v : variations) {
    const paired both = t.beside(repeats, {v.form, v.procs, v.pinned, v.judged ? judged_ms : shown_ms});
    const double ns = both.pirn.number("round_trip_ns");
    t.measured(v.name, ns);
    if (both.go) t.go(v.name, both.go->number("round_trip_ns"));
    if (v.judged) t.check_at_most(v.name, ns, 100, "ns");
  }
  const std::string trips = std::to_string(t.pick(50000, 5000));
  t.measured("threads_futex_ns", median_of(repeats, [&] { return t.probe({"futex", trips}).number("round_trip_ns"); }));
}

const registration entry_t07(entry{
    .id = "T07",
    .title = "Measure context-switch cost",
    .seed = k_tasks_document,
    .target = "<= 100 ns per round trip on one P, in the document's select form and through a bare channel",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
