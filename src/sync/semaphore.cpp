// pirn::semaphore past its fast path. Layer: sync.
//
// While somebody queues (k_waiters), the state changes under the queue's lock only; else by compare-and-swap, by
// anyone. The flag is set by who queues and cleared with the last request, both under the lock, so it is never stale.
// Invariant, under the lock: what the first request asks for is not free.
#include "pirn/sync/semaphore.h"

#include <stdexcept>

#include "sync/cancellation.h"
#include "sync/wait_queue.h"

namespace pirn {

using namespace pirn::rt;  // NOLINT: this file implements the public class over rt

namespace detail {

struct semaphore_access {
  struct request : queued_waiter {
    request(goroutine* g, semaphore& s, std::ptrdiff_t n) noexcept : queued_waiter(g), of(s), units(n) {}
    semaphore& of;
    std::ptrdiff_t units;
  };

  // Serves those in front as far as `free` units go. At the end of a run the goroutines among them are to be unlinked,
  // not served. REQUIRES: the lock, k_waiters set.
  static void serve(semaphore& s, std::ptrdiff_t free, bool only_threads, taken_waiters& served) noexcept {
    while (auto* r = static_cast<request*>(first_of(s.queue_))) {
      if (r->units > free || (only_threads && r->g != nullptr)) break;
      free -= r->units;
      served.take(s.queue_, *r);
    }
    const std::uint64_t rest = first_of(s.queue_) != nullptr ? semaphore::k_waiters : 0;
    s.state_.store(semaphore::units(free) | rest, std::memory_order_release);
  }

  // A request that goes unserved may have stood in the way of others.
  static bool take_back(request& r, bool only_threads) noexcept {
    semaphore& s = r.of;
    taken_waiters served;
    lock_of(s.queue_).lock();
    const bool mine = r.queued;
    if (mine) {
      remove(s.queue_, r);
      serve(s, static_cast<std::ptrdiff_t>(s.state_.load(std::memory_order_acquire) >> 1), only_threads, served);
    }
    lock_of(s.queue_).unlock();
    served.resume_all();
    return mine;
  }
  static bool unlink(goroutine*, void* node) noexcept {
    auto& r = *static_cast<request*>(node);
    return r.queue.load(std::memory_order_relaxed) == nullptr || take_back(r, true);
  }
  static bool withdraw(goroutine*, void* node) noexcept {
    auto& r = *static_cast<request*>(node);
    return r.queue.load(std::memory_order_relaxed) != nullptr && take_back(r, false);
  }
};

}  // namespace detail

namespace {

using request = detail::semaphore_access::request;

constexpr park_kind k_acquire{"semaphore acquire", detail::semaphore_access::unlink};
constexpr park_kind k_acquire_too_much{"semaphore acquire (more than its size)", detail::unlink_queued};

std::uint64_t checked(std::ptrdiff_t size) {
  if (size < 0 || size > semaphore::max()) throw std::invalid_argument("semaphore: size out of range");
  return static_cast<std::uint64_t>(size);
}

}  // namespace

semaphore::semaphore(std::ptrdiff_t size) : state_(checked(size) << 1), size_(size) {}

void semaphore::throw_negative() { throw std::invalid_argument("semaphore: negative amount"); }
void semaphore::throw_over_release() { throw std::logic_error("semaphore: released more than held"); }

void semaphore::acquire_slow(std::ptrdiff_t n) { acquire_unless_canceled(n, nullptr); }

std::error_code semaphore::acquire(const pirn::context& ctx, std::ptrdiff_t n) {
  if (n < 0) throw_negative();
  if (const std::error_code ended = ctx.err()) return ended;
  if (try_acquire(n) || acquire_unless_canceled(n, detail::canceler_for_wait(ctx))) return {};
  return ctx.err();
}

// False: what may cancel it, `by`, did, and nothing is taken.
bool semaphore::acquire_unless_canceled(std::ptrdiff_t n, detail::cancel_node* by) {
  if (n > size_) {
    detail::wait_until_canceled(by, k_acquire_too_much);
    return false;
  }
  const entry e;
  request r(e.current(), *this, n);
  r.queue.store(&queue_, std::memory_order_relaxed);
  detail::cancellation c(by, r, detail::semaphore_access::withdraw, &r);
  if (!c.begin()) return false;
  spinlock& lock = lock_of(queue_);
  lock.lock();
  std::uint64_t seen = state_.load(std::memory_order_acquire);
  while ((seen & k_waiters) == 0) {
    if (static_cast<std::ptrdiff_t>(seen >> 1) >= n) {
      if (!state_.compare_exchange_weak(seen, seen - units(n), std::memory_order_acquire)) continue;
      lock.unlock();
      return true;
    }
    if (c.asked()) break;
    if (state_.compare_exchange_weak(seen, seen | k_waiters, std::memory_order_acquire)) break;
  }
  if (c.asked()) {
    lock.unlock();
    return false;
  }
  push_back(queue_, r);
  suspend(r, k_acquire, &r, lock);
  return !c.withdrawn();
}

void semaphore::release_slow(std::ptrdiff_t n) {
  bool too_much = false;
  do {
    const entry e;
    spinlock& lock = lock_of(queue_);
    detail::taken_waiters served;
    lock.lock();
    // acquire: what is stored next must carry on what those before released.
    const std::uint64_t seen = state_.load(std::memory_order_acquire);
    if ((seen & k_waiters) == 0) {
      lock.unlock();  // before anybody can have the units: he may destroy the semaphore
      continue;
    }
    const auto free = static_cast<std::ptrdiff_t>(seen >> 1);
    too_much = n > size_ - free;
    if (!too_much) detail::semaphore_access::serve(*this, free + n, false, served);
    lock.unlock();
    served.resume_all();
    break;
  } while (!release_to_nobody(n));
  if (too_much) throw_over_release();
}

}  // namespace pirn
