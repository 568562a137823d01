// pirn::wait_group past its fast path. Layer: sync.
//
// State: counter << 32 | waiters. A waiter counts itself under the bucket's lock, by compare-and-swap while the counter
// is not zero; so whoever brings the counter to zero sees, in the value it got back, whether there is anyone to wake,
// and the group lives until they are woken.
#include <mutex>
#include <stdexcept>

#include "pirn/sync.h"
#include "sync/parking_lot.h"

namespace pirn {

using namespace pirn::rt;  // NOLINT: this file implements the public class over rt

namespace {
constexpr park_kind k_group_wait{"sync.WaitGroup.Wait", unlink_parked};
}

void wait_group::settle(int n, std::uint64_t after) {
  const auto counter = static_cast<std::int32_t>(after >> 32);
  const auto waiters = static_cast<std::uint32_t>(after);
  const std::uint64_t delta = static_cast<std::uint64_t>(static_cast<std::int64_t>(n)) << 32;
  if (counter < 0) {
    state_.fetch_sub(delta, std::memory_order_relaxed);
    throw std::logic_error("sync: negative WaitGroup counter");
  }
  if (waiters != 0 && n > 0 && counter == n) {
    state_.fetch_sub(delta, std::memory_order_relaxed);
    throw std::logic_error("sync: WaitGroup misuse: Add called concurrently with Wait");
  }
  if (counter > 0 || waiters == 0) return;
  const entry e;
  parking_bucket& b = bucket_for(this);
  b.mu.lock();
  state_.fetch_sub(waiters, std::memory_order_relaxed);
  parked_node* list = take_all(b, this);
  b.mu.unlock();
  resume_all(list);
}

void wait_group::wait_slow() {
  const entry e;
  parking_bucket& b = bucket_for(this);
  b.mu.lock();
  std::uint64_t seen = state_.load(std::memory_order_acquire);
  do {
    if ((seen >> 32) == 0) {
      b.mu.unlock();
      return;
    }
  } while (!state_.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire));
  parked_node n(e.current());
  n.key = this;
  b.push_back(n);
  suspend(n, k_group_wait, &n, b.mu);
  // The waker's counter change is a release that ready() carries over; nothing of the group is touched here.
}

}  // namespace pirn
