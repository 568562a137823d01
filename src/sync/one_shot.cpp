// What a handle does to wait for its goroutine, and the goroutine to end the wait. Layer: sync.
//
// The joiner lies on its waiter's stack and stands in the word itself. It is put there by compare-and-swap after the
// waiter has left its stack (on the successor's side), and belongs to whoever takes it out: set(), which resumes it, or
// the end of a run. Where the goroutine ended first there is nothing to wait for, and the waiter is made ready at once.
// Model: docs/internals/models/one_shot.pml.
#include "pirn/detail/one_shot.h"

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
