// E01: the essay's C program: an increment in one thread; two threads that hand a turn to each other by mutex and
// condition variable; and beside it bare futexes and two goroutines. Context switches are the kernel's own count.
#include <pirn/pirn.h>
#include <pthread.h>
#include <sys/resource.h>

#include "support/futex_ping_pong.h"
#include "support/probe.h"
#include "support/trial.h"

namespace lab {
namespace {

struct switches {
  long voluntary = 0;
  long involuntary = 0;

  static switches so_far() {
    rusage usage{};
    require(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage failed");
    return {usage.ru_nvcsw, usage.ru_nivcsw};
  }
};

double local_ns(int operations) {
  volatile unsigned long long x = 0;
  const stopwatch watch;
  for (int i = 0; i < operations; ++i) x = x + 1;
  const double each = watch.ns() / operations;
  require(x == static_cast<unsigned long long>(operations), "an increment was lost");
  return each;
}

// As the essay writes it.
struct shared_turn {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
  int turn = 0;
  int loops;

  void take_and_pass(int mine, int next) {
    pthread_mutex_lock(&mutex);
    while (turn != mine) pthread_cond_wait(&changed, &mutex);
    turn = next;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
  }
};

void* other_side(void* argument) {
  auto& s = *static_cast<shared_turn*>(argument);
  for (int i = 0; i < s.loops; ++i) s.take_and_pass(1, 0);
  return nullptr;
}

double threads_ns(int loops) {
  shared_turn s{.loops = loops};
  pthread_t other;
  require(pthread_create(&other, nullptr, other_side, &s) == 0, "pthread_create failed");
  const stopwatch watch;
  for (int i = 0; i < loops; ++i) s.take_and_pass(0, 1);
  pthread_join(other, nullptr);
  return watch.ns() / (2.0 * loops);
}

double goroutines_ns(int loops) {
  const pirn::chan<int> there;
  const pirn::chan<int> back;
  pirn::wait_group ended;
  ended.go([=] {
    for (const int turn : there) back.send(turn + 1);
  });
  const stopwatch watch;
  int turn = 0;
  for (int i = 0; i < loops; ++i) {
    there.send(turn);
    turn = back.recv().value_or(0);
  }
  const double each = watch.ns() / (2.0 * loops);
  require(turn == loops, "a turn was lost");
  there.close();
  ended.wait();
  return each;
}

// Reports what one hand-over costs, and the switches by which it happened.
template <typename Form>
void report(double handovers, const Form& form) {
  const switches before = switches::so_far();
  emit("each_ns", form());
  const switches after = switches::so_far();
  emit("voluntary_switches", static_cast<double>(after.voluntary - before.voluntary) / handovers);
  emit("involuntary_switches", static_cast<double>(after.involuntary - before.involuntary) / handovers);
}

// Arguments: local, threads, futex or goroutines; LOOPS, each of two operations or hand-overs.
int probe(arguments args) {
  require(!args.empty(), "which form?");
  const std::string& form = args[0];
  const int loops = int_argument(args, 1);
  const double handovers = 2.0 * loops;
  if (form == "local") {
    report(handovers, [=] { return local_ns(2 * loops); });
  } else if (form == "threads") {
    report(handovers, [=] { return threads_ns(loops); });
  } else if (form == "futex") {
    report(handovers, [=] { return futex_round_trip_ns(loops) / 2; });
  } else {
    require(form == "goroutines", "no form '" + form + "'");
    return pirn::run([=] { report(handovers, [=] { return goroutines_ns(loops); }); });
  }
  return 0;
}

void judge(trial& t) {
  const int repeats = t.pick(3, 1);
  const int by_threads = t.pick(1000000, 20000);
  t.ran(
      text("%d times there and back: one thread's increments, two threads, two by futex, two goroutines; median of "
           "%d",
           by_threads, repeats));
  // Only the goroutines have a twin.
  const auto measure = [&](const std::string& form, int loops) {
    const std::vector<std::string> args = {form, std::to_string(loops)};
    std::vector<readings> runs;
    std::vector<readings> twins;
    for (int i = 0; i < repeats; ++i) {
      runs.push_back(t.probe(args));
      if (form != "goroutines") continue;
      if (std::optional<readings> go = t.twin(args)) twins.push_back(std::move(*go));
    }
    paired both{medians(runs), std::nullopt};
    if (!twins.empty()) both.go = medians(twins);
    t.record(both, form + "_");
    return both.pirn;
  };
  const readings local = measure("local", by_threads);
  const readings threads = measure("threads", by_threads);
  const readings futex = measure("futex", t.pick(200000, 20000));
  const readings goroutines = measure("goroutines", by_threads);

  const double thread_ns = threads.number("each_ns");
  const double goroutine_ns = goroutines.number("each_ns");
  t.measured("threads_to_goroutines", thread_ns / goroutine_ns);
  t.measured("futex_to_goroutines", futex.number("each_ns") / goroutine_ns);
  t.check(thread_ns >= 20 * goroutine_ns,
          text("a hand-over between threads %.3g ns, between goroutines %.3g ns: %.0fx "
               "%s 20x",
               thread_ns, goroutine_ns, thread_ns / goroutine_ns, thread_ns >= 20 * goroutine_ns ? ">=" : "<"));
  const auto switched = [](const readings& r) {
    return r.number("voluntary_switches") + r.number("involuntary_switches");
  };
  for (const auto& [name, cheap] : {std::pair("increments", &local), std::pair("goroutines", &goroutines)}) {
    t.check(switched(threads) >= 10 * switched(*cheap),
            text("context switches: threads %.3g a hand-over, %s %.3g", switched(threads), name, switched(*cheap)));
  }
}

const registration entry_e01(entry{
    .id = "E01",
    .title = "Handing over between threads, and between goroutines",
    .seed = k_essay_document,
    .target = "between goroutines >= 20x cheaper than between threads, with a tenth of the context switches",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
