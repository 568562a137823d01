// pirn::condition_variable. Layer: sync.
//
// Waiters stand in the parking lot: its locks outlive every condition variable, so a waiter that was notified, and a
// deadline that comes then, touch the object no more.
// No wake-up is lost: the waiter queues, and leaves its stack, before the mutex is given back (`let_go` runs on the
// successor's side). Whoever then takes the mutex, changes the state and notifies finds it queued and parked; the count
// is read after the mutex was taken, which orders it after the waiter's.
// A deadline and a notification race for the node under the bucket's lock: who takes it off wakes it.
#include "pirn/sync/condition_variable.h"

#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "os/clock.h"
#include "os/sanitizer.h"
#include "sync/cancellation.h"
#include "sync/parking_lot.h"
#include "sync/timers.h"

namespace pirn {

using namespace pirn::rt;  // NOLINT: this file implements the public class over rt

namespace {

constexpr park_kind k_cond_wait{"sync.Cond.Wait", unlink_parked};

struct cond_waiter : parked_node {
  cond_waiter(goroutine* g, const void* cv, mutex& held) noexcept : parked_node(g), bucket(bucket_for(cv)), mu(held) {
    key = cv;
  }
  parking_bucket& bucket;
  mutex& mu;
  // Guarded by the bucket's lock.
  bool expired = false;    // the deadline has come, perhaps before it queued
  bool timed_out = false;  // and took it off the queue
};

// The waiter sleeps now, and is gone as soon as the bucket's lock is given back and somebody notifies.
void let_go(cond_waiter& w) noexcept {
  mutex& mu = w.mu;
  w.bucket.mu.unlock();
  mu.unlock();
}

void let_go_work(void* waiter) noexcept {
  auto& w = *static_cast<cond_waiter*>(waiter);
  const on_borrowed_stack quiet(&w.mu);
  let_go(w);
}

// Takes the waiter's node off its queue if it still stands there.
bool take_off(cond_waiter& w, std::atomic<std::uint32_t>& waiters) noexcept {
  if (!w.queued) return false;
  w.bucket.remove(w);
  waiters.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

struct cond_waiter_of : cond_waiter {
  cond_waiter_of(goroutine* g, const void* cv, mutex& held, std::atomic<std::uint32_t>& n) noexcept
      : cond_waiter(g, cv, held), waiters(n) {}
  std::atomic<std::uint32_t>& waiters;
};

bool withdraw_cond_waiter(goroutine*, void* node) noexcept {
  auto& w = *static_cast<cond_waiter_of*>(node);
  const std::lock_guard hold(w.bucket.mu);
  return take_off(w, w.waiters);
}

// The deadline of a goroutine's wait. On the heap: the timer's entry may outlive the wait.
struct alarm {
  timer_node node;
  cond_waiter* waiter = nullptr;
  std::atomic<std::uint32_t>* waiters = nullptr;
};

// Under the timer heap's lock, which is_the_end() takes too: the waiter is there.
void ring(timer_node& t, std::int64_t) noexcept {
  auto& a = *static_cast<alarm*>(t.arg);
  cond_waiter& w = *a.waiter;
  w.bucket.mu.lock();
  w.expired = true;
  const bool ours = take_off(w, *a.waiters);
  w.timed_out = ours;
  w.bucket.mu.unlock();
  if (ours) resume(w);
}

void destroy_alarm(timer_node& t) noexcept { delete static_cast<alarm*>(t.arg); }

constexpr timer_kind k_alarm{timer_action::locked, ring, destroy_alarm, nullptr};

// Gives the alarm to its heap; from then on it does not ring. A forced unwind comes by here too.
struct end_of_alarm {
  dead_timers* dead;
  void operator()(alarm* a) const noexcept {
    const entry e;
    a->node.heap->abandon(a->node, *dead);
  }
};

mutex& disown(std::unique_lock<mutex>& lock) {
  if (!lock.owns_lock()) {
    throw std::system_error(std::make_error_code(std::errc::operation_not_permitted), "condition_variable: wait");
  }
  return *lock.release();
}

// Queued: gives the mutex and the bucket's lock back and sleeps until resumed.
void sleep(cond_waiter& w) {
  if (w.g != nullptr) {
    park(k_cond_wait, &w, switch_work::call(let_go_work, &w));
    return;
  }
  w.count_thread();
  let_go(w);
  w.sleep_as_thread();
}

// The same for a thread with a deadline.
void sleep_until(cond_waiter& w, std::atomic<std::uint32_t>& waiters, std::int64_t when) {
  let_go(w);
  foreign_leave();
  while (w.woken.load(std::memory_order_acquire) == 0 && now_ns() < when) futex_wait(w.woken, 0, when);
  foreign_enter();
  if (w.woken.load(std::memory_order_acquire) != 0) return;
  w.bucket.mu.lock();
  w.timed_out = take_off(w, waiters);
  w.bucket.mu.unlock();
  // Somebody has it in his hands: he is about to wake it.
  while (!w.timed_out && w.woken.load(std::memory_order_acquire) == 0) futex_wait(w.woken, 0);
}

}  // namespace

// The lock is told that it owns nothing while the waiter sleeps: a forced unwind must not unlock then.
void condition_variable::wait(std::unique_lock<mutex>& lock) {
  mutex& mu = disown(lock);
  {
    const entry e;
    cond_waiter w(e.current(), this, mu);
    w.bucket.mu.lock();
    waiters_.fetch_add(1, std::memory_order_relaxed);
    w.bucket.push_back(w);
    sleep(w);
  }
  lock = std::unique_lock(mu);
}

std::error_code condition_variable::wait(const pirn::context& ctx, std::unique_lock<mutex>& lock) {
  mutex& mu = disown(lock);
  detail::cancel_node* by = detail::canceler_for_wait(ctx);
  bool slept = false;
  bool canceled = true;
  {
    const entry e;
    cond_waiter_of w(e.current(), this, mu, waiters_);
    detail::cancellation c(by, w, withdraw_cond_waiter, &w);
    if (c.begin()) {
      w.bucket.mu.lock();
      if (c.asked()) {
        w.bucket.mu.unlock();
      } else {
        waiters_.fetch_add(1, std::memory_order_relaxed);
        w.bucket.push_back(w);
        sleep(w);
        slept = true;
        canceled = c.withdrawn();
      }
    }
  }
  lock = slept ? std::unique_lock(mu) : std::unique_lock(mu, std::adopt_lock);
  return canceled ? ctx.err() : std::error_code();
}

std::cv_status condition_variable::wait_till(std::unique_lock<mutex>& lock, time_point deadline) {
  const std::int64_t when = deadline.time_since_epoch().count();
  if (when >= k_forever) {
    wait(lock);
    return std::cv_status::no_timeout;
  }
  dead_timers dead;
  std::unique_ptr<alarm, end_of_alarm> guard(nullptr, {&dead});
  std::unique_ptr<alarm> unarmed(this_worker() != nullptr ? new alarm : nullptr);
  mutex& mu = disown(lock);
  bool timed_out = false;
  {
    const entry e;
    cond_waiter w(e.current(), this, mu);
    if (unarmed != nullptr) {
      guard.reset(unarmed.release());
      guard->waiter = &w;
      guard->waiters = &waiters_;
      guard->node.kind = &k_alarm;
      guard->node.arg = guard.get();
      guard->node.heap = &heap_here(e);
      // Not early by the error of the heap's clock.
      const std::int64_t at = when > k_forever - cycle_clock::k_error_ns ? when : when + cycle_clock::k_error_ns;
      guard->node.heap->start(guard->node, at, 0, dead);
    }
    w.bucket.mu.lock();
    if (w.expired) {
      w.timed_out = true;
      let_go(w);
    } else {
      waiters_.fetch_add(1, std::memory_order_relaxed);
      w.bucket.push_back(w);
      if (w.g != nullptr) {
        sleep(w);
      } else {
        sleep_until(w, waiters_, when);
      }
    }
    guard.reset();  // before what it points at goes
    timed_out = w.timed_out;
  }
  lock = std::unique_lock(mu);
  return timed_out ? std::cv_status::timeout : std::cv_status::no_timeout;
}

void condition_variable::wake_one() noexcept {
  const entry e;
  parking_bucket& b = bucket_for(this);
  b.mu.lock();
  parked_node* n = b.find(this);
  if (n != nullptr) {
    b.remove(*n);
    waiters_.fetch_sub(1, std::memory_order_relaxed);
  } else {
    waiters_.store(0, std::memory_order_relaxed);  // a run ended with those who were counted
  }
  b.mu.unlock();
  if (n != nullptr) resume(*n);
}

void condition_variable::wake_all() noexcept {
  const entry e;
  parking_bucket& b = bucket_for(this);
  b.mu.lock();
  waiters_.store(0, std::memory_order_relaxed);
  parked_node* list = take_all(b, this);
  b.mu.unlock();
  resume_all(list);
}

}  // namespace pirn
