// Counters that others wait for to reach zero: wait_group and latch. Layer: sync.
//
// State: counter << 32 | waiters. A waiter counts itself under the bucket's lock, by compare-and-swap while the counter
// is not zero; so whoever brings the counter to zero sees, in the value it got back, whether there is anyone to wake,
// and the object lives until they are woken. One whose context ends counts itself out in the same way; at zero it does
// not, as it is about to be woken.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "sync/cancellation.h"
#include "sync/parking_lot.h"

namespace pirn::rt {

struct countdown_waiter : parked_node {
  countdown_waiter(goroutine* g, std::atomic<std::uint64_t>& s) noexcept : parked_node(g), state(s) { key = &s; }
  std::atomic<std::uint64_t>& state;
};

inline bool withdraw_from_countdown(goroutine*, void* node) noexcept {
  auto& n = *static_cast<countdown_waiter*>(node);
  parking_bucket& b = bucket_for(n.key);
  const std::lock_guard hold(b.mu);
  if (!n.queued) return false;
  std::uint64_t seen = n.state.load(std::memory_order_relaxed);
  do {
    if ((seen >> 32) == 0) return false;
  } while (!n.state.compare_exchange_weak(seen, seen - 1, std::memory_order_relaxed));
  b.remove(n);
  return true;
}

// Parks until the counter is zero. The waiters stand in the parking lot under the state's address. False: `by`, if it
// is not null, was cancelled first.
inline bool wait_for_zero(std::atomic<std::uint64_t>& state, const park_kind& kind, detail::cancel_node* by) {
  const entry e;
  parking_bucket& b = bucket_for(&state);
  countdown_waiter n(e.current(), state);
  detail::cancellation c(by, n, withdraw_from_countdown, &n);
  if (!c.begin()) return false;
  b.mu.lock();
  std::uint64_t seen = state.load(std::memory_order_acquire);
  do {
    if ((seen >> 32) == 0 || c.asked()) {
      b.mu.unlock();
      return (seen >> 32) == 0;
    }
  } while (!state.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire));
  b.push_back(n);
  suspend(n, kind, &n, b.mu);
  return !c.withdrawn();
  // The waker's counter change is a release that ready() carries over; nothing of the state is touched here.
}

// REQUIRES: the caller brought the counter to zero and saw `waiters`, not 0, beside it.
inline void wake_at_zero(std::atomic<std::uint64_t>& state, std::uint32_t waiters) noexcept {
  const entry e;
  parking_bucket& b = bucket_for(&state);
  b.mu.lock();
  state.fetch_sub(waiters, std::memory_order_relaxed);
  parked_node* list = take_all(b, &state);
  b.mu.unlock();
  resume_all(list);
}

}  // namespace pirn::rt
