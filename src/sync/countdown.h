// Counters that others wait for to reach zero: wait_group and latch. Layer: sync.
//
// State: counter << 32 | waiters. A waiter counts itself under the bucket's lock, by compare-and-swap while the counter
// is not zero; so whoever brings the counter to zero sees, in the value it got back, whether there is anyone to wake,
// and the object lives until they are woken.
#pragma once

#include <atomic>
#include <cstdint>

#include "sync/parking_lot.h"

namespace pirn::rt {

// Parks until the counter is zero. The waiters stand in the parking lot under the state's address.
inline void wait_for_zero(std::atomic<std::uint64_t>& state, const park_kind& kind) {
  const entry e;
  parking_bucket& b = bucket_for(&state);
  b.mu.lock();
  std::uint64_t seen = state.load(std::memory_order_acquire);
  do {
    if ((seen >> 32) == 0) {
      b.mu.unlock();
      return;
    }
  } while (!state.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire));
  parked_node n(e.current());
  n.key = &state;
  b.push_back(n);
  suspend(n, kind, &n, b.mu);
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
