// What contexts are made of. Layer: sync.
//
// Contexts that can be cancelled form a tree of their own: each stands in the list of the nearest one above it
// (`canceler`), by a link inside it, from its making to its cancellation or end. In the same lists stand the functions
// of after_func() and those who wait with a context (sync/cancellation.h). One allocation each.
//
// Invariants, under `mu`: a cancelled one takes no more children; what is linked is alive; `cause` and the channel as
// it was are settled before `error` is set.
// Lock order: a context before the queues and timer heaps that its waiters stand in; never two contexts.
//
// Lifetime: children have shares of their parents, lists have none of their children. Whoever finds a child in a list,
// under the lock, may take a share if there is one left; the last owner takes it out of the list before he frees it.
#pragma once

#include <stop_token>

#include "pirn/context.h"
#include "sync/wait.h"
#include "timer/timer_heap.h"

namespace pirn::detail {

struct cancel_node : cancel_head, context_child {
  explicit cancel_node(context_node* above) noexcept
      : cancel_head(above, nullptr), context_child(kind_t::context), canceled_by(canceler_of(*above)) {
    canceler = this;
  }
  // When it ends by itself; null: not.
  virtual const time_point* deadline() const noexcept { return nullptr; }
  // It has been cancelled; outside the runtime.
  virtual void stop_timer() noexcept {}

  static cancel_node* canceler_of(const context_node& n) noexcept { return static_cast<cancel_node*>(n.canceler); }

  // Constant. Whose list it stands in; null: none.
  cancel_node* const canceled_by;

  rt::spinlock mu;
  // Guarded by mu.
  context_child* first = nullptr;
  context_child* last = nullptr;
  std::exception_ptr cause;               // constant once `error` is set; null: the error itself
  std::stop_source* stop = nullptr;       // made when it is first asked for, then constant
  std::atomic<chan_core*> done{nullptr};  // the same; written under mu
  // Of the canceller that has taken it out of its parent's list.
  cancel_node* next_to_cancel = nullptr;

  // All of these REQUIRE mu.
  void push(context_child& c) noexcept {
    c.next = nullptr;
    c.prev = last;
    (last != nullptr ? last->next : first) = &c;
    last = &c;
    c.linked = true;
  }
  void remove(context_child& c) noexcept {
    (c.prev != nullptr ? c.prev->next : first) = c.next;
    (c.next != nullptr ? c.next->prev : last) = c.prev;
    c.linked = false;
  }

 protected:
  ~cancel_node() = default;
  // The end but for the memory.
  void end() noexcept;
};

}  // namespace pirn::detail
