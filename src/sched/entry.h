// Entering and leaving the runtime. Layer: sched. The rule and its proof: docs/internals/scheduler.md, "Entries".
//
// Every call that touches a P, a wait queue or a spinlock is bracketed by enter()/leave(). Between them: no user code,
// no malloc, no lock held across a wait for a P. enter() marks the worker inside with a plain store and then looks at
// its attention word; whoever wants to act as the owner of its P sets k_attn_hold, makes every thread execute a
// barrier, and then looks at `inside`: at least one of the two sees the other. Orderings:
//   [EN-1] enter: inside = 1 (relaxed); light barrier; attention (acquire: what an earlier hold did to the P is seen,
//          EN-4). Without membarrier attention always has k_attn_fence, and the slow way starts with the fence.
//   [EN-2] hold:  attention |= hold (seq_cst); heavy_barrier; inside (acquire).   Dekker pair with EN-1.
//   [EN-3] leave: inside = 0 (release) publishes what was done to the P to the reader in EN-2.
//   [EN-4] release of a hold: attention &= ~hold (release), read with acquire in enter and wait_while_held.
#pragma once

#include "os/membarrier.h"
#include "sched/scheduler.h"

namespace pirn::rt {

// The slow ways: sharing, waiting out a hold, getting a P after one was taken, ending with the run; stopping in place.
worker* enter_slow(worker* w) noexcept;
void leave_slow(worker* w) noexcept;
// As if w's slice were over, if there is such a thing in this run.
void stop_on_leave(worker* w) noexcept;

// Returns the worker the goroutine is on now: waiting for a P may have moved it.
PIRN_ALWAYS_INLINE worker* enter(worker* w) noexcept {
  w->inside.store(1, std::memory_order_relaxed);  // [EN-1]
  compiler_barrier();
  chaos_step();
  if (PIRN_UNLIKELY(w->attention.load(std::memory_order_acquire) != 0)) return enter_slow(w);
  return w;
}

PIRN_ALWAYS_INLINE void leave(worker* w) noexcept {
  // Decided while still inside: the P is handed on under the protection that any other work on it has.
  if (PIRN_UNLIKELY((w->attention.load(std::memory_order_relaxed) & k_attn_yield) != 0)) leave_slow(w);
  if (chaos_chance(64)) stop_on_leave(w);
  chaos_step();
  w->inside.store(0, std::memory_order_release);  // [EN-3]
}

// One entry on a known worker, without the cases of `entry` (nested, foreign): for the hot paths of channels. Null when
// the general way must be taken.
PIRN_ALWAYS_INLINE worker* try_enter_fast() noexcept {
  worker* w = this_worker();
  if (PIRN_UNLIKELY(w == nullptr || w->inside.load(std::memory_order_relaxed) != 0)) return nullptr;
  return enter(w);
}

// A thread that is no worker: keeps the scheduler from being torn down while it may hold goroutines in its hands.
scheduler* foreign_enter() noexcept;
void foreign_leave() noexcept;
// Counts the threads whose wait only a pirn call of somebody else can end: by the thread, before anybody can find it,
// and by who wakes it, before the thread can go on.
void foreign_waits() noexcept;
void foreign_wait_ends() noexcept;

// Brackets a runtime call from whatever thread. Nests: callbacks of the scheduler, and an element's move constructor,
// run inside already.
class entry {
 public:
  entry() noexcept : w_(this_worker()) {
    if (PIRN_UNLIKELY(w_ == nullptr)) {
      foreign_enter();
    } else if (PIRN_LIKELY(w_->inside.load(std::memory_order_relaxed) == 0)) {
      w_ = enter(w_);
      outermost_ = true;
    }
  }
  ~entry() {
    if (PIRN_LIKELY(outermost_)) {
      leave(this_worker());  // a park in between may have moved the goroutine
    } else if (PIRN_UNLIKELY(w_ == nullptr)) {
      foreign_leave();
    }
  }
  entry(const entry&) = delete;
  entry& operator=(const entry&) = delete;

  // The worker at the time of entry, null on a foreign thread.
  worker* on() const noexcept { return w_; }
  goroutine* current() const noexcept { return w_ == nullptr ? nullptr : w_->current; }

 private:
  worker* w_;
  bool outermost_ = false;
};

}  // namespace pirn::rt
