// Operations on queues of waiters that lie in what is waited for. Layer: sync.
//
// A node is queued and taken off under the queue's lock. Who takes it off owns the waiter and resumes it, once, after
// giving the lock back; so the object may go as soon as the waiter runs.
// Rule for what has such a queue: nobody may learn that its wait is over but by the lock or by being resumed, or it
// could destroy the object before the lock in it is given back.
#pragma once

#include "pirn/detail/wait_queue.h"
#include "sync/wait.h"

namespace pirn::detail {

// Lies on the stack of who waits.
struct queued_waiter : rt::waiter {
  using waiter::waiter;
  queued_waiter* next = nullptr;
  queued_waiter* prev = nullptr;
  // Null: not in one yet, or cut off. Looked at without its lock.
  std::atomic<wait_queue*> queue{nullptr};
  bool queued = false;
};

inline rt::spinlock& lock_of(wait_queue& q) noexcept { return reinterpret_cast<rt::spinlock&>(q.lock); }
static_assert(sizeof(rt::spinlock) == sizeof(std::atomic<std::uint32_t>));

// All of these REQUIRE the lock.
inline queued_waiter* first_of(const wait_queue& q) noexcept { return q.first.load(std::memory_order_relaxed); }

inline void push_back(wait_queue& q, queued_waiter& n) noexcept {
  n.next = nullptr;
  n.prev = q.last;
  n.queue.store(&q, std::memory_order_relaxed);
  n.queued = true;
  if (q.last != nullptr) {
    q.last->next = &n;
  } else {
    q.first.store(&n, std::memory_order_release);
  }
  q.last = &n;
}

inline void remove(wait_queue& q, queued_waiter& n) noexcept {
  if (n.prev != nullptr) {
    n.prev->next = n.next;
  } else {
    q.first.store(n.next, std::memory_order_release);
  }
  if (n.next != nullptr) {
    n.next->prev = n.prev;
  } else {
    q.last = n.prev;
  }
  n.queued = false;
}

// Everybody, oldest first, linked by `next`.
inline queued_waiter* take_all(wait_queue& q) noexcept {
  queued_waiter* list = first_of(q);
  q.first.store(nullptr, std::memory_order_release);
  q.last = nullptr;
  for (queued_waiter* n = list; n != nullptr; n = n->next) n->queued = false;
  return list;
}

// Waiters that were taken off, to be resumed once the lock is given back, in the order in which they were added.
class taken_waiters {
 public:
  // REQUIRES: the lock, and n the first of the queue.
  void take(wait_queue& q, queued_waiter& n) noexcept {
    remove(q, n);
    n.next = nullptr;
    *end_ = &n;
    end_ = &n.next;
  }
  void resume_all() noexcept;

 private:
  queued_waiter* first_ = nullptr;
  queued_waiter** end_ = &first_;
};

void resume_all(queued_waiter* list) noexcept;

// For park_kind::unlink of what has nothing else to put right; the object is the node.
bool unlink_queued(rt::goroutine* g, void* node) noexcept;
// For a cancellation: as above, but who was cut off waits on. REQUIRES: the node has its queue's address already.
bool withdraw_queued(rt::goroutine* g, void* node) noexcept;

}  // namespace pirn::detail
