// What a handle does to wait for its goroutine, and the goroutine to end the wait. Layer: sync.
//
// The joiner lies on its waiter's stack and stands in the word itself. It is put there by compare-and-swap after the
// waiter has left its stack (on the successor's side), and belongs to whoever takes it out: set(), which resumes it, or
// the end of a run. Where the goroutine ended first there is nothing to wait for, and the waiter is made ready at once.
// Model: docs/internals/models/one_shot.pml.
//
// With a context the joiner is put there under the context's lock, which does what a queue's lock does elsewhere: who
// cancels finds it in the word, or it finds that it was asked (sync/cancellation.h).
#include "pirn/detail/one_shot.h"

#include <mutex>

#include "sync/cancellation.h"
#include "sync/wait.h"

namespace pirn::detail {

using namespace pirn::rt;  // NOLINT: this file implements detail over rt

struct one_shot::joiner : waiter {
  joiner(goroutine* g, one_shot& what) noexcept : waiter(g), of(what) {}
  one_shot& of;
  // What publish() expects to find. Not a local of its own: it runs on another goroutine's stack, in this one's name,
  // which ThreadSanitizer would take for a race.
  std::uintptr_t running = k_running;
};

// False when it was set before. Once it is true the joiner is set()'s.
bool one_shot::publish(joiner& j) noexcept {
  // release: the joiner and the context it refers to. acquire: what came before set(). With success j may be gone.
  return state_.compare_exchange_strong(j.running, reinterpret_cast<std::uintptr_t>(&j), std::memory_order_acq_rel,
                                        std::memory_order_acquire);
}

void one_shot::publish_parked(void* j) noexcept {
  auto& waits = *static_cast<joiner*>(j);
  if (!waits.of.publish(waits)) ready(waits.g);
}

// The goroutine waits, so the handle, and what the two share, is still there.
bool one_shot::unlink(goroutine*, void* j) noexcept {
  auto waits = reinterpret_cast<std::uintptr_t>(j);
  return static_cast<joiner*>(j)->of.state_.compare_exchange_strong(waits, k_running, std::memory_order_acq_rel,
                                                                    std::memory_order_relaxed);
}

struct one_shot::cancelable_joiner : joiner {
  cancelable_joiner(goroutine* g, one_shot& what, cancel_node* by) noexcept
      : joiner(g, what), canceled(by, *this, one_shot::unlink, static_cast<joiner*>(this)) {}
  cancellation canceled;
};

bool one_shot::publish_unless_canceled(cancelable_joiner& j) noexcept {
  // The joiner may be gone at the end; the context is not: its waiter needs the lock.
  spinlock& lock = j.canceled.lock();
  const std::lock_guard hold(lock);
  return !j.canceled.asked() && j.of.publish(j);
}

void one_shot::publish_parked_unless_canceled(void* j) noexcept {
  auto& waits = *static_cast<cancelable_joiner*>(j);
  if (!publish_unless_canceled(waits)) ready(waits.g);
}

std::error_code one_shot::wait(const pirn::context& ctx) {
  static constexpr park_kind k_join{"join", unlink};
  if (const std::error_code ended = ctx.err()) return ended;
  if (is_set()) return {};
  cancel_node* by = canceler_for_wait(ctx);
  if (by == nullptr) {
    wait();
    return {};
  }
  bool canceled = true;
  {
    const entry e;
    cancelable_joiner j(e.current(), *this, by);
    if (j.canceled.begin()) {
      joiner* const object = &j;
      if (j.g != nullptr) {
        park(k_join, object, switch_work::call(publish_parked_unless_canceled, &j));
      } else {
        j.count_thread();
        if (publish_unless_canceled(j)) {
          j.sleep_as_thread();
        } else {
          foreign_wait_ends();
        }
      }
      canceled = !is_set();
    }
  }
  return canceled ? ctx.err() : std::error_code();
}

void one_shot::wait() {
  static constexpr park_kind k_join{"join", unlink};
  if (is_set()) return;
  if (worker* w = try_enter_fast(); PIRN_LIKELY(w != nullptr)) {
    joiner j(w->current, *this);
    park_on(w, k_join, &j, switch_work::call(publish_parked, &j));
    leave(this_worker());
    return;
  }
  const entry e;
  joiner j(e.current(), *this);
  if (j.g != nullptr) {
    park(k_join, &j, switch_work::call(publish_parked, &j));
    return;
  }
  j.count_thread();
  if (publish(j)) {
    j.sleep_as_thread();
  } else {
    foreign_wait_ends();
  }
}

bool one_shot::set() noexcept {
  // Before the exchange: a thread that is stopped here, because the run has ended, must not have the joiner in hand.
  const entry e;
  const std::uintptr_t before = state_.exchange(k_set, std::memory_order_acq_rel);
  if (before == k_dropped) return true;
  if (before == k_running) return false;
  waiter& j = *reinterpret_cast<joiner*>(before);
  if (worker* w = e.on(); PIRN_LIKELY(w != nullptr)) {
    resume_on(w, j);
  } else {
    resume(j);
  }
  return false;
}

}  // namespace pirn::detail
