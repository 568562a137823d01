// pirn::mutex past its fast path. Layer: sync.
//
// Bits: locked, waiters (somebody may stand in the bucket), starving. Changes of `waiters` and `starving` are made
// under the bucket's lock, and with waiters `locked` is cleared under it too; it is set by compare-and-swap by anyone.
// Under `starving` it is not cleared at all: the unlocker hands the lock to the first waiter as it is. Taking is an
// acquire, giving back a release; a hand-over passes through the bucket's lock and ready().
//
// A waiter that gives up because its context has ended leaves the flags as they are: an unlocker that finds nobody in
// the bucket clears them. One that an unlocker has woken tries once before it gives up: either it has the mutex then,
// or somebody else has, who sees that others wait.
#include "pirn/sync/mutex.h"

#include <mutex>

#include "os/clock.h"
#include "os/fatal.h"
#include "sync/cancellation.h"
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

void mutex::lock_slow() { lock_unless_canceled(nullptr); }

std::error_code mutex::lock(const pirn::context& ctx) {
  if (const std::error_code ended = ctx.err()) return ended;
  if (try_lock() || lock_unless_canceled(detail::canceler_for_wait(ctx))) return {};
  return ctx.err();
}

// False: what may cancel it, `by`, did, and the mutex is not locked.
bool mutex::lock_unless_canceled(detail::cancel_node* by) {
  if (spinning_may_help()) {
    for (int i = 0; i < k_spins; ++i) {
      for (int k = 0; k < k_pauses; ++k) cpu_pause();
      if (try_lock()) return true;
    }
  }
  const entry e;
  parking_bucket& b = bucket_for(this);
  parked_node n(e.current());
  n.key = this;
  detail::cancellation c(by, n, unlink_parked, &n);
  std::int64_t began = 0;
  for (;;) {
    if (try_lock()) return true;
    if (!c.begin()) return false;
    b.mu.lock();
    if (c.asked()) {
      b.mu.unlock();
      return false;
    }
    std::uint32_t seen = state_.load(std::memory_order_relaxed);
    const std::uint32_t wanted = k_waiters | (n.starving ? k_starving : 0);
    // Queue only behind a holder: else there is nobody to wake us.
    bool held = true;
    do {
      held = (seen & k_locked) != 0;
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
    suspend(n, k_mutex_lock, &n, b.mu);
    if (c.withdrawn()) return false;
    const bool long_wait = now_ns() - began > k_starvation_ns;
    if (n.handed_over) {
      if (!long_wait) {
        const std::lock_guard hold(b.mu);
        state_.fetch_and(~k_starving, std::memory_order_relaxed);
      }
      return true;
    }
    n.starving = long_wait;
  }
}

// The lock is given up under the bucket's lock: from then on the next holder may destroy the mutex.
void mutex::unlock_slow() {
  const entry e;
  parking_bucket& b = bucket_for(this);
  b.mu.lock();
  // While it is locked only who has the bucket's lock changes the state, so plain stores do.
  // Acquire: who is handed the lock follows whoever locked it, which need not be this thread.
  const std::uint32_t seen = state_.load(std::memory_order_acquire);
  if ((seen & k_locked) == 0) {
    b.mu.unlock();
    fatal("sync: unlock of unlocked mutex");
  }
  parked_node* n = b.find(this);
  if (n == nullptr) {  // they gave up, or the run has ended
    state_.store(0, std::memory_order_release);
    b.mu.unlock();
    return;
  }
  const std::uint32_t waiters = parking_bucket::more_after(*n) ? k_waiters : 0;
  b.remove(*n);
  if ((seen & k_starving) != 0) {
    // Nobody else may take it: it goes to the first waiter.
    n->handed_over = true;
    state_.store(k_locked | waiters | (waiters != 0 ? k_starving : 0), std::memory_order_relaxed);
  } else {
    state_.store(waiters, std::memory_order_release);
  }
  b.mu.unlock();
  resume(*n);
}

}  // namespace pirn
