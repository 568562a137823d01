// Where the scheduler meets the poller. Layer: sched. Essay: docs/internals/scheduler.md "Readiness". Model:
// docs/internals/models/keeper.pml.
//
// The poller is made by the first who needs it; until then all that is below costs one load, where there is nothing to
// run anyway. From then on somebody looks for what has become ready
//   - every few k_global_check dispatches of a P, and whenever its queue is empty, without waiting;
//   - while a P is idle, by sleeping in the poller: the keeper, one worker of the idle list [NP-1];
//   - sysmon, when none of these has been there between two of its looks.
//   [NP-1] When all Ps are idle there is a keeper: a worker that goes idle becomes the keeper if there is none, and one
//          that stops being it (it was woken, or something is ready) is awake and goes idle, by this rule, later. Who
//          makes a P idle without going idle himself wakes a worker if there is no keeper, before and after (hand_on).
//   [NP-2] The keeper is woken like any other sleeper, by its event; whose signal it was interrupts the poller (wake).
//   It is
//          the keeper until it has left the poller, so that nobody else is in there to take the interruption for his.
// What is ready goes to the end of the queue of the P of who found it, or to the global queue.
#include <cerrno>

#include "os/clock.h"
#include "sched/entry.h"

namespace pirn::rt {

namespace {

std::atomic<std::uint32_t> pollers_made{0};

// Marks what is to run. Returns to where it is queued.
goroutine* pop_ready(ready_list& list) noexcept {
  goroutine* g = list.pop_front();
  if (g == nullptr) return nullptr;
  g->set_state(g_state::runnable);
  happens_before(g);
  return g;
}

}  // namespace

net_poll::~net_poll() { delete get(); }

poller* need_poller(scheduler& s) noexcept {
  if (poller* p = s.net.get()) return p;
  poller* fresh = new_epoll_poller();
  if (fresh == nullptr) return nullptr;
  const entry e;  // the number and the pointer change together for who looks from inside
  s.mu.lock();
  poller* p = s.net.get();
  if (p == nullptr) {
    s.net.number.store(pollers_made.fetch_add(1, std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    happens_before(fresh);
    s.net.backend.store(fresh, std::memory_order_release);
    p = fresh;
    fresh = nullptr;
  }
  s.mu.unlock();
  delete fresh;
  return p;
}

void queue_ready(worker* w, ready_list& list) noexcept {
  while (goroutine* g = pop_ready(list)) queue_last(w, g);
}

void push_global_ready(scheduler& s, ready_list& list) noexcept {
  g_list all;
  while (goroutine* g = pop_ready(list)) all.push_back(g);
  if (all.count != 0) push_global(s, all);
}

void look_for_ready(scheduler& s, ready_list& out) noexcept {
  poller* p = s.net.get();
  if (p == nullptr || s.net.kept.load(std::memory_order_relaxed)) return;
  // One at a time: a second one would only wait for the kernel's lock.
  if (s.net.looking.load(std::memory_order_relaxed) || s.net.looking.exchange(true, std::memory_order_acquire)) return;
  s.net.looks.store(s.net.looks.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  poll_report reports[poller::k_at_once];
  const int n = p->wait(reports, 0);
  happens_before(&s.end_of_run);
  deliver(reports, n, out);
  s.net.looking.store(false, std::memory_order_release);
}

void poll_network(worker* w) noexcept {
  ready_list ready;
  look_for_ready(*w->sched, ready);
  if (ready.count == 0) return;
  const bool more = ready.count > 1 || !w->p->queue.empty();
  queue_ready(w, ready);
  if (more) wake_if_needed(*w->sched);
}

void wake(worker& w) noexcept {
  if (!w.wake.signal()) return;
  w.sched->net.get()->interrupt();  // [NP-2]
  happens_before(&w.sched->end_of_run);
}

bool wants_keeper(scheduler& s) noexcept {
  return s.net.backend.load(std::memory_order_relaxed) != nullptr && !s.net.kept.load(std::memory_order_relaxed);
}

bool keep_watch(worker* w, std::int64_t deadline, ready_list& ready) noexcept {
  scheduler& s = *w->sched;
  if (!w->wake.begin_elsewhere()) return w->wake.try_consume();  // [NP-2]
  poll_report reports[poller::k_at_once];
  const int n = s.net.get()->wait(reports, deadline);
  happens_before(&s.end_of_run);
  const bool signalled = w->wake.end_elsewhere();
  deliver(reports, n, ready);
  return signalled;
}

void look_at_network(scheduler& s) noexcept {
  if (s.net.backend.load(std::memory_order_relaxed) == nullptr || s.net.kept.load(std::memory_order_relaxed)) return;
  const std::uint32_t looks = s.net.looks.load(std::memory_order_relaxed);
  if (looks != s.net.looks_seen) {
    s.net.looks_seen = looks;
    return;
  }
  ready_list ready;
  look_for_ready(s, ready);
  s.net.looks_seen = s.net.looks.load(std::memory_order_relaxed);
  push_global_ready(s, ready);
  // Beside an idle P a worker takes over from here: it finds nothing to run and becomes the keeper.
  wake_if_needed(s);
}

}  // namespace pirn::rt
