// E02: the essay's stack table, measured: what 1 000, 10 000 and 100 000 blocked threads and goroutines take.
#include <pirn/pirn.h>
#include <pthread.h>
#include <semaphore.h>

#include <vector>

#include "support/probe.h"
#include "support/proc_files.h"
#include "support/trial.h"

namespace lab {
namespace {

struct footprint {
  long resident_kib = own_status("VmRSS");
  long page_tables_kib = own_status("VmPTE");
  long reserved_kib = own_status("VmSize");

  void emit_growth_since(const footprint& before, int count) const {
    const double each = 1024.0 / count;
    emit("rss_each_bytes", static_cast<double>(resident_kib - before.resident_kib) * each);
    emit("page_tables_each_bytes", static_cast<double>(page_tables_kib - before.page_tables_kib) * each);
    emit("reserved_each_bytes", static_cast<double>(reserved_kib - before.reserved_kib) * each);
  }
};

void goroutines(int n) {
  pirn::run([=] {
    pirn::chan<void> gate;
    pirn::wait_group started;
    pirn::wait_group ended;
    started.add(n);
    const footprint before;
    for (int i = 0; i < n; ++i) {
      ended.go([&started, gate] {
        started.done();
        gate.recv();
      });
    }
    started.wait();
    footprint().emit_growth_since(before, n);
    emit("count", n);
    gate.close();
    ended.wait();
  });
}

struct thread_gate {
  sem_t started;
  sem_t gate;
};

void* blocked_thread(void* argument) {
  auto* g = static_cast<thread_gate*>(argument);
  sem_post(&g->started);
  while (sem_wait(&g->gate) != 0) {
  }
  return nullptr;
}

// With the default attributes. A machine that allows fewer threads gives what it can, and `count` says how many.
void threads(int n) {
  thread_gate g;
  sem_init(&g.started, 0, 0);
  sem_init(&g.gate, 0, 0);
  std::vector<pthread_t> ids;
  ids.reserve(static_cast<std::size_t>(n));
  const footprint before;
  for (pthread_t id; static_cast<int>(ids.size()) < n && pthread_create(&id, nullptr, blocked_thread, &g) == 0;) {
    ids.push_back(id);
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    while (sem_wait(&g.started) != 0) {
    }
  }
  require(!ids.empty(), "not one thread could be created");
  footprint().emit_growth_since(before, static_cast<int>(ids.size()));
  emit("count", static_cast<double>(ids.size()));
  for (std::size_t i = 0; i < ids.size(); ++i) sem_post(&g.gate);
  for (const pthread_t id : ids) pthread_join(id, nullptr);
}

// Arguments: threads|goroutines N.
int probe(arguments args) {
  const int n = int_argument(args, 1);
  if (args[0] == "threads") {
    threads(n);
  } else {
    goroutines(n);
  }
  return 0;
}

void judge(trial& t) {
  t.ran("1 000, 10 000 and 100 000 goroutines parked on a channel; 1 000 and 10 000 threads on a semaphore");
  constexpr double k_gib = 1024.0 * 1024 * 1024;
  readings thread;
  for (const char* n : {"1000", "10000"}) {
    thread = t.probe({"threads", n});
    const std::string name = text("threads_%g", thread.number("count"));
    t.measured(name + "_reserved_gib", thread.number("reserved_each_bytes") * thread.number("count") / k_gib);
    t.measured(name + "_rss_each_bytes", thread.number("rss_each_bytes"));
    t.measured(name + "_page_tables_each_bytes", thread.number("page_tables_each_bytes"));
  }
  // No machine of this size starts 100 000 threads: the row is the reservation measured above, times 100 000.
  t.measured("threads_100000_would_reserve_gib", thread.number("reserved_each_bytes") * 100000 / k_gib);

  for (const char* n : {"1000", "10000", "100000"}) {
    const paired both = t.beside(t.pick(3, 1), {"goroutines", n});
    const std::string name = std::string("goroutines_") + n;
    for (const char* part : {"_rss_each_bytes", "_page_tables_each_bytes"}) {
      t.measured(name + part, both.pirn.number(part + 1));
      if (both.go) t.go(name + part, both.go->number(part + 1));
    }
    const double each = both.pirn.number("rss_each_bytes") + both.pirn.number("page_tables_each_bytes");
    t.measured(name + "_resident_mib", each * both.pirn.number("count") / (1024 * 1024));
    if (n == std::string("100000")) {
      t.check_at_most("100 000 goroutines with their page tables", each / 1024, 4.8, "KiB each");
      const double of_thread = thread.number("rss_each_bytes") + thread.number("page_tables_each_bytes");
      t.check(each < of_thread, text("a thread takes %.3g KiB and has %.3g MiB reserved", of_thread / 1024,
                                     thread.number("reserved_each_bytes") / (1024 * 1024)));
    }
  }
}

const registration entry_e02(entry{
    .id = "E02",
    .title = "The stack table: threads' reserved, goroutines' resident memory",
    .seed = k_essay_document,
    .target = "measured at 1 000, 10 000 and 100 000; at 100 000 goroutines <= 4.8 KiB each, less than a thread",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
