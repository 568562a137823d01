// Who waits for a descriptor's readiness: the meeting of those who wait, the poller, deadlines and closing. Layer:
// poll. Model: docs/internals/models/poll_desc.pml.
//
// Each direction is in one of these states, all changes under `mu`:
//
//   | state     | fields                  | leaves by                                                    |
//   | quiet     |                         | begin_wait(): somebody waits; a report: ready                |
//   | ready     | ready                   | begin_wait() or forget_ready(): quiet, and a try is due      |
//   | waited on | first != null           | a report, the deadline, closing: all are taken off, resumed  |
//   and, over any of these, `expired` (until the deadline is set anew) and `closing` (for good): then nobody waits.
//
// The protocol of who wants to read (writing alike): try; if that would block, begin_wait(); park; try again.
//   [PD-1] No readiness is lost. A report that comes between the try and begin_wait() has set `ready`, which
//          begin_wait() finds under the lock: it refuses, and the try is repeated. One that comes later finds the
//          waiter. `ready` may be cleared before a try (forget_ready), as what was reported before is there for that
//          try; but by a locked instruction, so that the clearing cannot come after the try and wipe out a report of
//          what came then.
//   [PD-2] Whoever takes a waiter off the list, under the lock, owns it and resumes it, once. A waiter lies on its
//          goroutine's stack, and enters the list before, and leaves the lock after, that has been left
//          (sched/park.cpp).
//   [PD-3] Expiry and closing are looked at by begin_wait() under the lock under which they are set: either they find
//   the
//          waiter, or it finds them.
//   [PD-4] A report names the generation of the object that it is about. release() begins the next one, under the lock,
//   so
//          late reports wake nobody who uses the object, or the number of the descriptor, after that.
// The lock is taken by threads with and without a P, hence a shared_spinlock; for a few instructions, inside the
// runtime or by foreign threads.
#pragma once

#include <atomic>
#include <cstdint>

#include "g/goroutine.h"
#include "os/futex.h"
#include "os/spinlock.h"
#include "poll/poller.h"

namespace pirn::rt {

// Goroutines to be made ready, in order; nobody else has them.
struct ready_list {
  goroutine* first = nullptr;
  goroutine* last = nullptr;
  std::uint32_t count = 0;

  void push_back(goroutine* g) noexcept {
    g->next = nullptr;
    (last != nullptr ? last->next : first) = g;
    last = g;
    ++count;
  }
  goroutine* pop_front() noexcept {
    goroutine* g = first;
    if (g == nullptr) return nullptr;
    first = g->next;
    if (first == nullptr) last = nullptr;
    --count;
    return g;
  }
};

enum class poll_side : std::uint8_t { read = 0, write = 1 };

// Why a wait is over, or was not begun.
enum class poll_result : std::uint8_t { try_again, expired, closed, failed };

struct poll_waiter {
  goroutine* g = nullptr;  // null: a foreign thread, which sleeps in poll(2)
  int wake_fd = -1;        // that thread's eventfd
  poll_waiter* next = nullptr;
  bool queued = false;
  poll_result why = poll_result::try_again;  // written by who takes it off
};

struct alignas(k_cache_line) poll_desc {
  shared_spinlock mu;
  struct direction {
    // Guarded by mu, but `ready` may be cleared, and all flags be read, by anyone.
    std::atomic<bool> ready{false};
    std::atomic<bool> expired{false};
    poll_waiter* first = nullptr;
    std::int64_t deadline = k_forever;
  };
  direction sides[2];
  std::atomic<bool> ended{false};  // reported so: reading will not block again
  bool closing = false;            // Guarded by mu.
  std::uint32_t generation = 0;    // Guarded by mu.
  std::uint32_t index = 0;         // Constant.
  poll_desc* next_free = nullptr;  // Guarded by the pool's lock.

  direction& side(poll_side s) noexcept { return sides[static_cast<unsigned>(s)]; }
  // What add() is to be told. REQUIRES: not released meanwhile.
  std::uint64_t tag() const noexcept { return (std::uint64_t{generation} << 32) | index; }
};

// One that nobody uses, from a pool that grows to the most there ever were; null without memory. REQUIRES: inside.
poll_desc* take_poll_desc() noexcept;
// REQUIRES: inside; closing, and nobody waits. [PD-4]
void release_poll_desc(poll_desc* d) noexcept;

// Clears what was reported before a try that is about to be made. [PD-1]
inline void forget_ready(poll_desc& d, poll_side s) noexcept {
  std::atomic<bool>& ready = d.side(s).ready;
  if (ready.load(std::memory_order_relaxed)) ready.exchange(false, std::memory_order_seq_cst);
}

// The following REQUIRE d.mu.
// True: w is queued, and is resumed by who takes it off. False: `why` says what to do instead. [PD-1], [PD-3]
bool begin_wait_locked(poll_desc& d, poll_side s, poll_waiter& w) noexcept;
// Takes w off unless somebody was faster.
bool end_wait_locked(poll_desc& d, poll_side s, poll_waiter& w) noexcept;
// Takes everybody off: goroutines into `out`, threads are woken.
void take_waiters_locked(poll_desc& d, poll_side s, poll_result why, ready_list& out) noexcept;
// Has those that are no goroutines try again: they keep the deadline themselves, and it has changed.
void send_threads_back_locked(poll_desc& d, poll_side s) noexcept;

// Turns reports into goroutines to be made ready. Any thread that is inside the runtime.
void deliver(const poll_report* reports, int n, ready_list& out) noexcept;

}  // namespace pirn::rt
