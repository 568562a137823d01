// T15: a native library whose sessions belong to the thread that began them, and goroutines bound to a thread that give
// it what it asks for. Without the binding the library is called from wherever the goroutine happens to be.
#include <pirn/pirn.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "support/forms.h"

namespace lab {
namespace {

// The library. It keeps its state per thread and counts the calls that come from a wrong one.
namespace native {

struct session {
  pid_t thread;
  std::uint64_t sum = 0;
  int items = 0;
  bool open = true;
};

std::atomic<int> wrong_thread{0};

void check(const session& s) {
  if (gettid() != s.thread) wrong_thread.fetch_add(1, std::memory_order_relaxed);
}

session init() { return {gettid()}; }
void work(session& s, std::uint64_t item) {
  check(s);
  s.sum += item * item;
  ++s.items;
}
void done(session& s) {
  check(s);
  s.open = false;
}

}  // namespace native

// The wrapper: a goroutine for each session, that begins it, works its items off and ends it.
class session {
 public:
  explicit session(bool bound) {
    ended_.go([this, bound] {
      std::optional<pirn::runtime::os_thread_lock> pin;
      if (bound) pin.emplace();
      state_ = native::init();
      for (const std::uint64_t item : items_) native::work(*state_, item);
      native::done(*state_);
    });
  }
  void submit(std::uint64_t item) { items_.send(item); }
  // All items are done, and the session is.
  const native::session& finish() {
    items_.close();
    ended_.wait();
    return *state_;
  }

 private:
  pirn::chan<std::uint64_t> items_{16};
  pirn::wait_group ended_;
  std::optional<native::session> state_;
};

struct found {
  int wrong_thread = 0;
  int right = 0;  // sessions whose results are right and that were ended
  std::size_t threads = 0;
};

// One goroutine for each session feeds it, in small steps so that sessions park and wake; the others compute.
found run_sessions(int sessions, int items, bool bound) {
  native::wrong_thread.store(0, std::memory_order_relaxed);
  std::vector<std::unique_ptr<session>> all;
  all.reserve(static_cast<std::size_t>(sessions));
  for (int i = 0; i < sessions; ++i) all.push_back(std::make_unique<session>(bound));
  std::atomic<bool> over{false};
  pirn::wait_group others;
  for (int i = 0; i < pirn::runtime::gomaxprocs(); ++i) {
    others.go([&over] {
      while (!over.load(std::memory_order_relaxed)) {
        for (int step = 0; step < 20000; ++step) opaque(step);
        pirn::runtime::gosched();
      }
    });
  }
  each_worker(sessions, [&](int which) {
    for (int item = 1; item <= items; ++item) {
      all[static_cast<std::size_t>(which)]->submit(static_cast<std::uint64_t>(item));
      if (item % 4 == 0) pirn::sleep_for(std::chrono::microseconds(50));
    }
  });
  found result;
  const auto n = static_cast<std::uint64_t>(items);
  std::set<pid_t> threads;
  for (const auto& one : all) {
    const native::session& s = one->finish();
    threads.insert(s.thread);
    if (!s.open && s.items == items && s.sum == n * (n + 1) * (2 * n + 1) / 6) ++result.right;
  }
  over.store(true, std::memory_order_relaxed);
  others.wait();
  result.wrong_thread = native::wrong_thread.load(std::memory_order_relaxed);
  result.threads = threads.size();
  return result;
}

// Arguments: SESSIONS ITEMS BOUND.
int probe(arguments args) {
  const int sessions = int_argument(args, 0);
  const int items = int_argument(args, 1);
  const bool bound = int_argument(args, 2) != 0;
  // With one P a goroutine that is not bound hardly moves.
  return pirn::run({.gomaxprocs = std::max(2, pirn::runtime::num_cpu())}, [=] {
    const found f = run_sessions(sessions, items, bound);
    emit("right_sessions", f.right);
    emit("session_threads", static_cast<double>(f.threads));
    emit("calls_from_wrong_thread", f.wrong_thread);
  });
}

void judge(trial& t) {
  constexpr int sessions = 4;
  constexpr int items = 100;
  const int repeats = t.pick(9, 3);
  t.ran(text("%d sessions of %d items each beside goroutines that compute, bound and not, %d fresh programs each",
             sessions, items, repeats));
  double wrong_when_free = 0;
  double wrong_when_bound = 0;
  bool all_right = true;
  bool own_threads = true;
  for (int i = 0; i < repeats; ++i) {
    const readings bound = t.probe({std::to_string(sessions), std::to_string(items), "1"});
    const readings unbound = t.probe({std::to_string(sessions), std::to_string(items), "0"});
    wrong_when_bound += bound.number("calls_from_wrong_thread");
    wrong_when_free += unbound.number("calls_from_wrong_thread");
    all_right = all_right && bound.number("right_sessions") == sessions;
    own_threads = own_threads && bound.number("session_threads") == sessions;
  }
  const int calls = sessions * (items + 1) * repeats;
  t.measured("calls", static_cast<double>(calls));
  t.measured("bound_from_wrong_thread", wrong_when_bound);
  t.measured("unbound_from_wrong_thread", wrong_when_free);
  t.check(wrong_when_bound == 0, text("bound: %g of %d calls from a wrong thread", wrong_when_bound, calls));
  t.check(all_right, "every session did its items and was ended");
  t.check(own_threads, "a thread for each session");
  t.check(wrong_when_free > 0, text("not bound: %g of %d", wrong_when_free, calls));
}

const registration entry_t15(entry{
    .id = "T15",
    .title = "Sessions of a library that belong to threads",
    .seed = k_tasks_document,
    .target =
        "4 sessions of 100 items: init, every item and done on the session's own thread; not so without the binding",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
