// pirn::once past its fast path. Layer: sync.
//
// Who waits says so under the bucket's lock, by compare-and-swap while the function runs. So whoever ends it sees, in
// the value it got back, whether there is anyone to wake; with nobody it touches the object no more.
#include "pirn/sync/once.h"

#include "sync/parking_lot.h"

namespace pirn {

using namespace pirn::rt;  // NOLINT: this file implements the public class over rt

namespace {
constexpr park_kind k_once_wait{"sync.Once.Do", unlink_parked};
}

void once::wait() {
  const entry e;
  parking_bucket& b = bucket_for(this);
  b.mu.lock();
  std::uint32_t seen = state_.load(std::memory_order_acquire);
  while (seen != k_done && !state_.compare_exchange_weak(seen, k_waited_for, std::memory_order_acquire)) {
  }
  if (seen == k_done) {
    b.mu.unlock();
    return;
  }
  parked_node n(e.current());
  n.key = this;
  b.push_back(n);
  suspend(n, k_once_wait, &n, b.mu);
}

void once::wake() noexcept {
  const entry e;
  parking_bucket& b = bucket_for(this);
  b.mu.lock();
  parked_node* list = take_all(b, this);
  b.mu.unlock();
  resume_all(list);
}

}  // namespace pirn
