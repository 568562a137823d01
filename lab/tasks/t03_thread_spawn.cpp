// T03: 1000 times pthread_create and pthread_join beside 1000 goroutines.
#include <pirn/pirn.h>
#include <pthread.h>

#include <vector>

#include "support/probe.h"
#include "support/trial.h"

namespace lab {
namespace {

void* thread_body(void* argument) { return argument; }

double threads_ns_each(int n) {
  const stopwatch watch;
  for (int i = 0; i < n; ++i) {
    pthread_t thread;
    require(pthread_create(&thread, nullptr, thread_body, nullptr) == 0, "pthread_create failed");
    pthread_join(thread, nullptr);
  }
  return watch.ns() / n;
}

double goroutines_ns_each(int n) {
  pirn::wait_group wg;
  wg.add(n);
  const stopwatch watch;
  for (int i = 0; i < n; ++i) {
    pirn::go([&wg] { wg.done(); });
  }
  wg.wait();
  return watch.ns() / n;
}

// The goroutines' form with the threads' shape: each one is joined before the next starts.
double one_by_one_ns_each(int n) {
  const stopwatch watch;
  for (int i = 0; i < n; ++i) pirn::spawn([] {}).join();
  return watch.ns() / n;
}

int probe(arguments args) {
  const int n = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  return pirn::run([=] {
    std::vector<double> threads;
    std::vector<double> goroutines;
    std::vector<double> one_by_one;
    for (int i = 0; i < rounds; ++i) {
      threads.push_back(threads_ns_each(n));
      goroutines.push_back(goroutines_ns_each(n));
      one_by_one.push_back(one_by_one_ns_each(n));
    }
    emit("thread_ns", median(threads));
    emit("goroutine_ns", median(goroutines));
    emit("goroutine_one_by_one_ns", median(one_by_one));
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  t.ran(text("1000 threads created and joined, then 1000 goroutines, in turns, %d fresh programs", repeats));
  const paired both = t.beside(repeats, {"1000", std::to_string(t.pick(9, 5))});
  t.record(both);
  const double thread = both.pirn.number("thread_ns");
  const double goroutine = both.pirn.number("goroutine_ns");
  const double ratio = thread / goroutine;
  t.measured("threads_dearer", ratio);
  if (both.go) t.go("threads_dearer", both.go->number("thread_ns") / both.go->number("goroutine_ns"));
  t.check(ratio >= 100, text("a thread costs %.3g ns, a goroutine %.3g ns: %.0fx %s 100x", thread, goroutine, ratio,
                             ratio >= 100 ? ">=" : "<"));
}

const registration entry_t03(entry{
    .id = "T03",
    .title = "Compare to thread spawn cost",
    .seed = k_tasks_document,
    .target = "threads >= 100x dearer than goroutines",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
