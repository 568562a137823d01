// Queues of waiters: the ways that are not hot. Layer: sync. Rules: sync/wait_queue.h.
#include "sync/wait_queue.h"

#include <mutex>

namespace pirn::detail {

using namespace pirn::rt;  // NOLINT: this file implements detail over rt

// The waiters are goroutines of a run that is about to end, or the program's mistake.
void wait_queue::cut_off() noexcept {
  const entry e;
  const std::lock_guard hold(lock_of(*this));
  for (queued_waiter* n = take_all(*this); n != nullptr; n = n->next)
    n->queue.store(nullptr, std::memory_order_relaxed);
}

void resume_all(queued_waiter* list) noexcept {
  while (list != nullptr) {
    queued_waiter* next = list->next;  // before the node goes
    resume(*list);
    list = next;
  }
}

void taken_waiters::resume_all() noexcept { detail::resume_all(first_); }

bool unlink_queued(goroutine*, void* node) noexcept {
  auto& n = *static_cast<queued_waiter*>(node);
  wait_queue* q = n.queue.load(std::memory_order_relaxed);
  if (q == nullptr) return true;  // cut off: nobody else can have it
  const std::lock_guard hold(lock_of(*q));
  if (!n.queued) return false;
  remove(*q, n);
  return true;
}

bool withdraw_queued(goroutine* g, void* node) noexcept {
  return static_cast<queued_waiter*>(node)->queue.load(std::memory_order_relaxed) != nullptr && unlink_queued(g, node);
}

}  // namespace pirn::detail
