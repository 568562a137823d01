// What the scheduler keeps about the poller, and the calls between the two. Layer: sched. The rules: netpoll.cpp.
#pragma once

#include <atomic>
#include <cstdint>

#include "poll/poll_desc.h"

namespace pirn::rt {

struct scheduler;
struct worker;

struct net_poll {
  net_poll() = default;
  net_poll(const net_poll&) = delete;
  net_poll& operator=(const net_poll&) = delete;
  ~net_poll();

  std::atomic<poller*> backend{nullptr};  // made by its first use, goes with the run
  // For who calls it: this layer, which publishes it, is not instrumented.
  poller* get() const noexcept {
    poller* p = backend.load(std::memory_order_acquire);
    if (p != nullptr) happens_after(p);
    return p;
  }
  // Of the back end, never used twice in a process: a descriptor remembers to which one it was added.
  std::atomic<std::uint32_t> number{0};
  worker* keeper = nullptr;       // Guarded by scheduler::mu.
  std::atomic<bool> kept{false};  // there is a keeper; written under mu
  std::atomic<bool> looking{false};
  std::atomic<std::uint32_t> looks{0};  // written by who is looking
  std::uint32_t looks_seen = 0;         // sysmon's
};

// Null, and errno says why, when there can be none. REQUIRES: outside, or a thread without a worker.
poller* need_poller(scheduler& s) noexcept;

// Puts what is ready at the end of w's queue. REQUIRES: w holds a P.
void poll_network(worker* w) noexcept;
void queue_ready(worker* w, ready_list& list) noexcept;
void push_global_ready(scheduler& s, ready_list& list) noexcept;

// Signals w's event, wherever w sleeps.
void wake(worker& w) noexcept;

// Whether a worker should go to sleep in the poller that does not.
bool wants_keeper(scheduler& s) noexcept;
// Sleeps in the poller until something is ready, the deadline has passed, or w's event was signalled: then true, and
// the signal is consumed. REQUIRES: w is the keeper.
bool keep_watch(worker* w, std::int64_t deadline, ready_list& ready) noexcept;
// Sysmon's part.
void look_at_network(scheduler& s) noexcept;

}  // namespace pirn::rt
