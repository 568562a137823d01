// pirn::mutex past its fast path. Layer: sync.
//
// Bits: locked, waiters (somebody may stand in the bucket), starving. Changes of `waiters` and `starving` are made
// under the bucket's lock; `locked` is set by compare-and-swap by anyone, but under `starving` only by the unlocker for
// the first waiter. Taking is an acquire, giving back a release; a hand-over passes through the bucket's lock and
// ready().
#include "pirn/sync/mutex.h"

#include <mutex>

#include "os/clock.h"
#include "os/fatal.h"
#include "sync/parking_lot.h"

namespace pirn {

using namespace pirn::rt;  // NOLINT: this file implements the public class over rt

namespace {
constexpr park_kind k_mutex_lock{"sync.Mutex.Lock", unlink_parked};
constexpr std::int64_t k_starvation_ns = 1'000'000;
constexpr int k_spins = 4;
constexpr int k_pauses = 30;

bool spinning_may_help() noexcept {
  const scheduler* s = the_scheduler.load(std::memory_order_relaxed);
  return s == nullptr || s->gomaxprocs.load(std::memory_order_relaxed) > 1;
}
}  // namespace

void mutex::lock_slow() {
  if (spinning_may_help()) {
    for (int i = 0; i < k_spins; ++i) {
      for (int k = 0; k < k_pauses; ++k) cpu_pause();
      if (try_lock()) return;
    }
  }
  const entry e;
  parking_bucket& b = bucket_for(this);
  parked_node n(e.current());
  n.key = this;
  std::int64_t began = 0;
  for (;;) {
    if (try_lock()) return;
    b.mu.lock();
    std::uint32_t seen = state_.load(std::memory_order_relaxed);
    const std::uint32_t wanted = k_waiters | (n.starving ? k_starving : 0);
    // Queue only behind a holder (or a hand-over to come): else there is nobody to wake us.
    bool held = true;
    do {
      held = (seen & (k_locked | k_starving)) != 0;
    } while (held && !state_.compare_exchange_weak(seen, seen | wanted, std::memory_order_relaxed));
    if (!held) {
      b.mu.unlock();
      continue;
    }
    if (began == 0) {
      began = now_ns();
      b.push_back(n);
    } else {
      b.push_front(n);  // it has been first once already
    }
    n.woken.store(0, std::memory_order_relaxed);
    suspend(n, k_mutex_lock, &n, b.mu);
    const bool long_wait = now_ns() - began > k_starvation_ns;
    if (n.handed_over) {
      if (!long_wait) {
        const std::lock_guard hold(b.mu);
        state_.fetch_and(~k_starving, std::memory_order_relaxed);
      }
      return;
    }
    n.starving = long_wait;
  }
}

void mutex::unlock_slow(std::uint32_t before) {
  if ((before & k_locked) == 0) fatal("sync: unlock of unlocked mutex");
  const entry e;
  parking_bucket& b = bucket_for(this);
  b.mu.lock();
  std::uint32_t seen = state_.load(std::memory_order_relaxed);
  if ((seen & k_locked) != 0 || (seen & k_waiters) == 0) {
    b.mu.unlock();  // somebody took it meanwhile, and will see the waiters when done; or another unlock served them
    return;
  }
  parked_node* n = b.find(this);
  if (n == nullptr) {  // unlinked at the end of a run
    state_.fetch_and(~(k_waiters | k_starving), std::memory_order_relaxed);
    b.mu.unlock();
    return;
  }
  const bool more = parking_bucket::more_after(*n);
  std::uint32_t cleared = more ? 0 : k_waiters;
  if ((seen & k_starving) != 0) {
    // Nobody else may take it: it goes to the first waiter.
    n->handed_over = true;
    if (!more) cleared |= k_starving;
    b.remove(*n);
    state_.store((seen & ~cleared) | k_locked, std::memory_order_relaxed);
  } else {
    b.remove(*n);
    state_.fetch_and(~cleared, std::memory_order_relaxed);
  }
  b.mu.unlock();
  resume(*n);
}

}  // namespace pirn
