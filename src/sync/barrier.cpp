// The counting behind pirn::barrier. Layer: sync.
//
// Everything under the queue's lock. Between the last arrival of a phase and end_phase() nobody can arrive (none is
// missing), so the completion runs alone and without the lock.
#include "pirn/sync/barrier.h"

#include <stdexcept>

#include "sync/cancellation.h"
#include "sync/wait_queue.h"

namespace pirn::detail {

using namespace pirn::rt;  // NOLINT: this file implements detail over rt

namespace {

constexpr park_kind k_barrier_wait{"barrier wait", unlink_queued};

[[noreturn]] void throw_too_many() { throw std::logic_error("barrier: more arrivals than the phase expects"); }

std::ptrdiff_t checked(std::ptrdiff_t expected) {
  if (expected < 0) throw std::invalid_argument("barrier: negative count");
  return expected;
}

}  // namespace

barrier_core::barrier_core(std::ptrdiff_t expected) : expected_(checked(expected)), missing_(expected) {}

bool barrier_core::arrive(std::ptrdiff_t n, bool drops, std::uint64_t& phase) {
  bool accepted = false;
  bool last = false;
  {
    const entry e;
    spinlock& lock = lock_of(queue_);
    lock.lock();
    accepted = n > 0 && n <= missing_;
    if (accepted) {
      missing_ -= n;
      if (drops) expected_ -= n;
      last = missing_ == 0;
      phase = phase_;
    }
    lock.unlock();
  }
  if (!accepted) throw_too_many();
  return last;
}

bool barrier_core::arrive_and_wait() {
  {
    const entry e;
    spinlock& lock = lock_of(queue_);
    lock.lock();
    if (missing_ > 1) {
      --missing_;
      queued_waiter w(e.current());
      push_back(queue_, w);
      suspend(w, k_barrier_wait, &w, lock);
      return false;
    }
    const bool last = missing_ == 1;
    if (last) missing_ = 0;
    lock.unlock();
    if (last) return true;
  }
  throw_too_many();
}

void barrier_core::end_phase() noexcept {
  const entry e;
  spinlock& lock = lock_of(queue_);
  lock.lock();
  ++phase_;
  missing_ = expected_;
  queued_waiter* list = take_all(queue_);
  lock.unlock();
  resume_all(list);
}

std::error_code barrier_core::wait(const pirn::context& ctx, std::uint64_t phase) {
  if (const std::error_code ended = ctx.err()) return ended;
  return wait_unless_canceled(phase, canceler_for_wait(ctx)) ? std::error_code() : ctx.err();
}

// False: what may cancel it, `by`, did.
bool barrier_core::wait_unless_canceled(std::uint64_t phase, cancel_node* by) {
  const entry e;
  queued_waiter w(e.current());
  w.queue.store(&queue_, std::memory_order_relaxed);
  cancellation c(by, w, withdraw_queued, &w);
  if (!c.begin()) return false;
  spinlock& lock = lock_of(queue_);
  lock.lock();
  const bool over = phase != phase_;
  if (over || c.asked()) {
    lock.unlock();
    return over;
  }
  push_back(queue_, w);
  suspend(w, k_barrier_wait, &w, lock);
  return !c.withdrawn();
}

}  // namespace pirn::detail
