// How many Ps there are, at the start and when it changes. Layer: sched. The change needs no stop-the-world: new Ps are
// idle Ps, and a P beyond the new count is given up by its holder at its next entry into the runtime.
//
// Until the program asks for a number, the default is followed: sysmon reads the limits again while anything runs.
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "os/cgroup.h"
#include "os/cpu.h"
#include "os/membarrier.h"
#include "sched/entry.h"

namespace pirn::rt {

// Heaps outlive runs: a timer object that the user keeps refers to the one it was made on.
timer_heap& timer_heap_of(int index) {
  static std::atomic<timer_heap*> heaps[k_max_procs];
  std::atomic<timer_heap*>& at = heaps[index];
  timer_heap* heap = at.load(std::memory_order_acquire);
  if (heap != nullptr) return *heap;
  auto fresh = std::make_unique<timer_heap>();
  if (at.compare_exchange_strong(heap, fresh.get(), std::memory_order_acq_rel)) heap = fresh.release();
  return *heap;
}

namespace {

constexpr std::int64_t k_limits_period_ns = 1'000'000'000;

// What the environment asks for, 0 without. As in Go, what is no positive number is ignored.
int procs_asked_for() noexcept {
  const char* text = std::getenv("GOMAXPROCS");
  if (text == nullptr) return 0;
  char* end = nullptr;
  const long n = std::strtol(text, &end, 10);
  if (end == text || *end != '\0' || n <= 0) return 0;
  return n < k_max_procs ? static_cast<int>(n) : k_max_procs;
}

int procs_allowed() noexcept {
  int cpus = affinity_cpu_count();
  const int within = cpus_within(cgroup_cpu_limit());
  if (within != 0 && within < cpus) cpus = within;
  return cpus < k_max_procs ? cpus : k_max_procs;
}

struct procs_wanted {
  int count;
  bool asked_for;  // by the program or the environment
};

// For a program that asks for `n`, or for none in particular with 0.
procs_wanted procs_for(int n) noexcept {
  if (n <= 0) n = procs_asked_for();
  return n > 0 ? procs_wanted{n, true} : procs_wanted{procs_allowed(), false};
}

}  // namespace

fresh_procs make_procs(scheduler& s, int n) {
  fresh_procs fresh;
  for (int i = s.proc_slots.load(std::memory_order_acquire); i < n && i < k_max_procs; ++i) {
    std::unique_ptr<processor> p(new processor);  // not zeroed as a whole: ThreadSanitizer would see that
    p->index = i;
    p->until_global_check = k_global_check;
    p->retired.store(true, std::memory_order_relaxed);
    p->timers = &timer_heap_of(i);
    fresh.push_back(std::move(p));
  }
  return fresh;
}

namespace {

thread_mutex changing;  // one change at a time

// REQUIRES: changing. What is not needed of `fresh` stays in it.
void change_to(scheduler& s, int n, fresh_procs& fresh) noexcept {
  if (n > k_max_procs) n = k_max_procs;
  s.mu.lock();
  for (auto& p : fresh) {
    // Another thread may have grown the list meanwhile. It has room for all: nothing is allocated here.
    if (p->index == static_cast<int>(s.procs.size())) s.procs.push_back(std::move(p));
  }
  s.proc_slots.store(static_cast<int>(s.procs.size()), std::memory_order_release);
  s.gomaxprocs.store(n, std::memory_order_relaxed);
  for (int i = 0; i < static_cast<int>(s.procs.size()); ++i) {
    processor* p = s.procs[static_cast<std::size_t>(i)].get();
    const bool retired = p->retired.load(std::memory_order_relaxed);
    if (i < n && retired) {
      p->retired.store(false, std::memory_order_relaxed);
      if (!p->owned) push_idle_p_locked(s, p);
    } else if (i >= n && !retired) {
      p->retired.store(true, std::memory_order_relaxed);
      if (worker* w = p->holder.load(std::memory_order_relaxed)) {
        w->attention.fetch_or(k_attn_retired, std::memory_order_relaxed);
      }
    }
  }
  // Retired Ps leave the idle list now.
  processor* list = s.idle_ps;
  s.idle_ps = nullptr;
  int idle = 0;
  while (list != nullptr) {
    processor* p = list;
    list = p->next_idle;
    if (p->retired.load(std::memory_order_relaxed)) continue;
    p->next_idle = s.idle_ps;
    s.idle_ps = p;
    ++idle;
  }
  s.idle_p_count.store(idle, std::memory_order_relaxed);
  s.mu.unlock();
  heavy_barrier();  // [ID-2] for the Ps that are idle now
  if (s.global_count.load(std::memory_order_relaxed) != 0 || any_queue_has_work(s)) wake_if_needed(s);
}

}  // namespace

int default_gomaxprocs() noexcept { return procs_for(0).count; }

void begin_procs(scheduler& s, int n) {
  const procs_wanted wanted = procs_for(n);
  fresh_procs fresh = make_procs(s, wanted.count);
  const std::lock_guard hold(changing);
  s.follows_limits.store(!wanted.asked_for, std::memory_order_relaxed);
  change_to(s, wanted.count, fresh);
}

int change_gomaxprocs(scheduler& s, int n, fresh_procs& fresh) noexcept {
  const std::lock_guard hold(changing);
  s.follows_limits.store(false, std::memory_order_relaxed);
  const int before = s.gomaxprocs.load(std::memory_order_relaxed);
  change_to(s, n, fresh);
  return before;
}

void ask_for_limits(scheduler& s, std::int64_t now) noexcept {
  if (now < s.limits_read_at || !s.follows_limits.load(std::memory_order_relaxed)) return;
  s.limits_read_at = now + k_limits_period_ns;
  s.limits_due.store(true, std::memory_order_relaxed);
  s.spawner_event.signal();
}

void follow_limits(scheduler& s) noexcept {
  const int n = procs_allowed();
  if (n == s.gomaxprocs.load(std::memory_order_relaxed)) return;
  if (n > 1 && !exclusive_mode_is_off()) end_exclusive();
  try {
    fresh_procs fresh = make_procs(s, n);
    const std::lock_guard hold(changing);
    if (!s.follows_limits.load(std::memory_order_relaxed)) return;  // the program has chosen meanwhile
    change_to(s, n, fresh);
  } catch (const std::bad_alloc&) {
    // Tried again when the limits are next read.
  }
}

void drop_retired_p(worker* w) noexcept {
  scheduler& s = *w->sched;
  processor* p = w->p;
  g_list left = p->queue.take_all();
  w->p = nullptr;
  s.mu.lock();
  s.global.append(left);
  s.global_count.store(s.global.size(), std::memory_order_relaxed);
  push_idle_p_locked(s, p);  // goes nowhere unless it came back into use meanwhile
  s.mu.unlock();
  wake_if_needed(s);
}

}  // namespace pirn::rt
