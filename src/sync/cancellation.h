// Waits that a context ends: the one shape for all of them. Layer: sync. Model: docs/internals/models/cancel.pml.
//
// Whoever waits stands in a queue as ever, and nothing of that queue knows of contexts. Beside it lies a `cancellation`
// on the same stack, in the context's list. Who cancels finds it there, under the context's lock, and calls its
// `withdraw`, which takes the waiter off its queue, under the queue's lock, if it still stands in it. True: the waiter
// is the canceller's now, to be resumed by him and by nobody else. False: another has taken it off and will resume it,
// or it is not yet queued. So of the two, the one who takes the node off decides, and a value or a lock that was given
// to the waiter stays with it: then the wait has succeeded, and the cancellation shows in the next one.
//   [CW-1] waiter:    link under the context's lock; then, under the queue's, look at `asked`, and queue.
//   [CW-2] canceller: under the context's lock, set `asked`; then, under the queue's, take the waiter off if it is
//   there.
//          Both pass the queue's lock: who comes second sees what the first has done.
//   [CW-3] The waiter takes its link out, under the context's lock, before its node goes; so nobody is at it then. One
//          whose link was taken with the waiter itself need not: its canceller resumes it with his last touch.
// The context is the caller's parameter and outlives the wait. A run may end with the waiter in either list: it leaves
// the queue by park_kind::unlink as ever, and the context's list by `at_end_of_run`.
//
// Others were weighed: a select over the operation and the context's channel takes two more locks, a channel and two
// nodes; a flag that waiters look at needs a wake-up that is nobody's; withdrawing by the waiter itself, once it has
// been woken, leaves a time in which it is served and cancelled at once.
#pragma once

#include "g/goroutine.h"
#include "sync/context_nodes.h"
#include "sync/wait_queue.h"

namespace pirn::detail {

// What can cancel a wait with ctx; null: nothing, and the plain form will do. Makes what a goroutine needs to wait for
// it. REQUIRES: outside the runtime.
cancel_node* canceler_for_wait(const context& ctx);

class cancellation final : context_child, rt::left_at_end_of_run {
 public:
  // Takes the waiter off its queue if it is there; as park_kind::unlink, but that others go on.
  using withdraw_fn = bool (*)(rt::goroutine*, void*) noexcept;

  // by null: never cancelled.
  cancellation(cancel_node* by, rt::waiter& who, withdraw_fn withdraw, void* object) noexcept
      : context_child(kind_t::wait), by_(by), who_(who), withdraw_(withdraw), object_(object) {}
  ~cancellation() {
    if (PIRN_UNLIKELY(begun_)) end();
  }
  cancellation(const cancellation&) = delete;
  cancellation& operator=(const cancellation&) = delete;

  // REQUIRES: inside; the waiter in no queue. False: cancelled already.
  [[nodiscard]] bool begin() noexcept { return by_ == nullptr || begun_ || link(); }
  // REQUIRES: the lock under which the waiter is then queued. True: it must not wait.
  bool asked() const noexcept { return asked_.load(std::memory_order_relaxed); }
  // Once resumed: by the canceller. The waiter was served by nobody.
  bool withdrawn() const noexcept { return withdrawn_; }
  // The lock of the context, for a waiter whose queue has none.
  rt::spinlock& lock() noexcept { return by_->mu; }

 private:
  friend class canceling;
  bool link() noexcept;
  void end() noexcept;
  static void leave(rt::left_at_end_of_run& self) noexcept;

  cancel_node* const by_;
  rt::waiter& who_;
  const withdraw_fn withdraw_;
  void* const object_;
  std::atomic<bool> asked_{false};  // written under the context's lock
  bool withdrawn_ = false;          // by who withdrew it, before he resumes it
  bool begun_ = false;              // owner only
};

// Waits for nothing else, if by is null for ever. REQUIRES: outside. `kind` has unlink_queued.
void wait_until_canceled(cancel_node* by, const rt::park_kind& kind);

}  // namespace pirn::detail
