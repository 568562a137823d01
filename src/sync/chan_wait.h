// Channel operations in two steps, as send, receive and select share them. Layer: sync.
//
// attempt_*() runs under the channel's lock and decides; complete_*() runs after it and does what user code may take
// part in: moving a value from or to a waiter that was taken off its queue and so cannot run, then waking it. A value
// that comes in a box is taken out once the receiver is outside: that destroys and frees.
#pragma once

#include "pirn/detail/chan_core.h"
#include "sync/wait.h"

namespace pirn::detail {

// A select's waiters, one per case, share a claim: who wins it may deliver, the others pass by.
struct select_claim {
  std::atomic<std::uint32_t> taken{0};

  // acq_rel: the winner's goroutine reads what we write after it; one of several cases can win.
  bool win() noexcept {
#ifndef PIRN_TSAN
    if (rt::one_inside.load(std::memory_order_relaxed)) {  // as in the spinlock: nobody else is there
      if (taken.load(std::memory_order_relaxed) != 0) return false;
      taken.store(1, std::memory_order_relaxed);
      return true;
    }
#endif
    std::uint32_t free = 0;
    return taken.compare_exchange_strong(free, 1, std::memory_order_acq_rel);
  }
  chan_waiter* winner = nullptr;  // written by the one who took it
};

// Lies on the stack of who waits.
struct chan_waiter {
  chan_waiter* next = nullptr;
  chan_waiter* prev = nullptr;
  chan_core* channel = nullptr;
  void* value = nullptr;  // sender: the T to move from; receiver: room for one
  void* box = nullptr;    // sender of a boxed type on a buffered channel
  rt::waiter* who = nullptr;
  select_claim* claim = nullptr;  // null: not in a select
  bool success = false;           // a value went over, as opposed to closed
  bool queued = false;
  bool sending = false;
};

enum class outcome { done, closed, would_wait };

// What is left to do after the lock: written by attempt, read by complete.
struct completion {
  chan_waiter* peer = nullptr;  // to be woken
  bool direct = false;          // the value goes straight between the two
  void* box = nullptr;          // receive: where the value is
  bool box_used = false;        // send: the ring owns the sender's box now
};

inline rt::spinlock& lock_of(chan_core& c) noexcept { return reinterpret_cast<rt::spinlock&>(c.lock); }
static_assert(sizeof(rt::spinlock) == sizeof(std::atomic<std::uint32_t>));
static_assert(offsetof(chan_core, count) - offsetof(chan_core, lock) == rt::k_cache_line);

inline bool needs_box(const chan_core& c) noexcept { return c.capacity != 0 && !c.ops->trivial; }

// REQUIRE: the channel's lock.
outcome attempt_send(chan_core& c, void* value, void* box, completion& done) noexcept;
outcome attempt_recv(chan_core& c, void* slot, completion& done) noexcept;
inline void enqueue(chan_queue& q, chan_waiter& w) noexcept {
  w.next = nullptr;
  w.prev = q.last;
  if (q.last != nullptr) {
    q.last->next = &w;
  } else {
    q.first.store(&w, std::memory_order_release);
  }
  q.last = &w;
  w.queued = true;
}

inline void unqueue(chan_queue& q, chan_waiter& w) noexcept {
  if (w.prev != nullptr) {
    w.prev->next = w.next;
  } else {
    q.first.store(w.next, std::memory_order_release);
  }
  if (w.next != nullptr) {
    w.next->prev = w.prev;
  } else {
    q.last = w.prev;
  }
  w.queued = false;
}

// REQUIRE: the lock given back, still inside.
void complete_send(chan_core& c, void* value, const completion& done) noexcept;
void complete_recv(chan_core& c, void* slot, const completion& done) noexcept;
// False when it was closed already. Any thread, inside or outside.
bool chan_close_once(chan_core* c) noexcept;
// The end of a receive. REQUIRES: outside (the element's destructor runs).
PIRN_ALWAYS_INLINE void open_box(const chan_core& c, void* box, void* slot) noexcept {
  if (PIRN_UNLIKELY(box != nullptr)) c.ops->unbox(box, slot);
}

}  // namespace pirn::detail
