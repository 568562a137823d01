// Sleeping, timers and tickers over the timer heaps. Layer: sync.
//
// A timer's channel is a ring of one that says it has no buffer. It is filled under the heap's lock and emptied by stop
// and reset under the same lock, so no value of before can come after them. Lock order: heap, then channel.
//
// Lifetime: the object holds a reference to the channel, if there is one, and the channel's last reference gives the
// timer up; its heap destroys it with its last entry. A function timer counts its shares; being armed is one.
#include "pirn/time.h"

#include <memory>
#include <mutex>

#include "os/clock.h"
#include "sched/blocks.h"
#include "sync/cancellation.h"
#include "sync/chan_wait.h"
#include "sync/timers.h"

namespace pirn {

using namespace pirn::rt;  // NOLINT: this file implements the public functions over rt

clock::time_point clock::now() noexcept { return time_point(duration(now_ns())); }

namespace detail {

namespace {

constexpr park_kind k_sleep{"sleep", nullptr};

std::int64_t instant_after(duration d) noexcept {
  const std::int64_t now = now_ns();
  return d.count() > k_forever - now ? k_forever : now + d.count();
}

void sleep_until_ns(std::int64_t when) {
  const entry e;
  goroutine* g = e.current();
  if (g == nullptr) {
    std::atomic<std::uint32_t> nobody{0};
    foreign_leave();
    while (now_ns() < when) futex_wait(nobody, 0, when);
    foreign_enter();
    return;
  }
  timer_heap& heap = *e.on()->p->timers;
  heap.lock().lock();
  heap.sleep_locked(*g, when < k_forever ? when : k_forever - 1);
  park(k_sleep, nullptr, switch_work::unlock(heap.lock()));
}

// A sleep that a context may end: a timer of its own, as a sleeper in the heap cannot be taken back. The heap's lock is
// the queue's of sync/cancellation.h. On the heap: the timer's entry may outlive the sleep.
struct alarm_clock {
  timer_node node;
  waiter* sleeper = nullptr;
  bool forgotten = false;  // the run has ended, so that nothing rings any more
};

void ring(timer_node& t, std::int64_t) noexcept { resume(*static_cast<alarm_clock*>(t.arg)->sleeper); }
void destroy_alarm_clock(timer_node& t) noexcept { delete static_cast<alarm_clock*>(t.arg); }
void forget_alarm_clock(timer_node& t) noexcept { static_cast<alarm_clock*>(t.arg)->forgotten = true; }
constexpr timer_kind k_alarm_clock{timer_action::locked, ring, destroy_alarm_clock, forget_alarm_clock};

bool turn_off(goroutine*, void* alarm) noexcept {
  timer_node& t = static_cast<alarm_clock*>(alarm)->node;
  const std::lock_guard hold(t.heap->lock());
  return t.heap->stop_locked(t);
}

bool unlink_sleeper(goroutine* g, void* alarm) noexcept {
  return turn_off(g, alarm) || static_cast<alarm_clock*>(alarm)->forgotten;
}

constexpr park_kind k_sleep_with_context{"sleep", unlink_sleeper};

struct end_of_alarm_clock {
  dead_timers* dead;
  void operator()(alarm_clock* a) const noexcept {
    const entry e;
    a->node.heap->abandon(a->node, *dead);
  }
};

// False when `by` was cancelled first.
bool sleep_on_goroutine(cancel_node* by, std::int64_t when) {
  dead_timers dead;
  auto fresh = std::make_unique<alarm_clock>();
  std::unique_ptr<alarm_clock, end_of_alarm_clock> alarm(nullptr, {&dead});
  const entry e;
  waiter w(e.current());
  timer_heap& heap = heap_here(e);
  fresh->node.kind = &k_alarm_clock;
  fresh->node.arg = fresh.get();
  fresh->node.heap = &heap;
  fresh->sleeper = &w;
  alarm.reset(fresh.release());
  cancellation c(by, w, turn_off, alarm.get());
  if (!c.begin()) return false;
  heap.lock().lock();
  if (c.asked()) {
    heap.lock().unlock();
    return false;
  }
  // Not early by the error of the heap's clock.
  heap.start_locked(alarm->node, when > k_forever - cycle_clock::k_error_ns ? when : when + cycle_clock::k_error_ns);
  park(k_sleep_with_context, alarm.get(), switch_work::unlock(heap.lock()));
  return !c.withdrawn();
}

bool sleep_on_thread(cancel_node* by, std::int64_t when) {
  wait_queue alone;
  const entry e;
  queued_waiter w(nullptr);
  w.queue.store(&alone, std::memory_order_relaxed);
  cancellation c(by, w, withdraw_queued, &w);
  if (!c.begin()) return false;
  spinlock& lock = lock_of(alone);
  lock.lock();
  if (c.asked()) {
    lock.unlock();
    return false;
  }
  push_back(alone, w);
  lock.unlock();
  foreign_leave();
  while (w.woken.load(std::memory_order_acquire) == 0 && now_ns() < when) futex_wait(w.woken, 0, when);
  foreign_enter();
  if (unlink_queued(nullptr, &w)) return true;
  // It was taken off: the canceller wakes it, if he has not yet.
  while (w.woken.load(std::memory_order_acquire) == 0) futex_wait(w.woken, 0);
  return false;
}

}  // namespace

std::error_code sleep_until_instant(const pirn::context& ctx, time_point deadline) {
  if (const std::error_code ended = ctx.err()) return ended;
  const std::int64_t when = deadline.time_since_epoch().count();
  if (when <= now_ns()) return {};
  cancel_node* by = canceler_for_wait(ctx);
  if (by == nullptr) {
    sleep_until_ns(when);
    return {};
  }
  const bool slept = this_worker() != nullptr ? sleep_on_goroutine(by, when) : sleep_on_thread(by, when);
  return slept ? std::error_code() : ctx.err();
}

time_point deadline_after(duration d) noexcept { return time_point(duration(instant_after(d))); }

void sleep_until_instant(time_point deadline) {
  const std::int64_t when = deadline.time_since_epoch().count();
  if (when > now_ns()) sleep_until_ns(when);
}

void sleep_for_duration(duration d) {
  if (d.count() > 0) sleep_until_ns(instant_after(d));
}

// A channel timer makes its channel when it is first asked for: one that only guards something never needs it.
struct timer_state {
  static void* operator new(std::size_t bytes) { return new_block(block_kind::timer, bytes); }
  static void operator delete(void* block) noexcept { delete_block(block_kind::timer, block); }

  timer_node node;
  // Channel timers. Guarded by the heap's lock, but for the channel, which is set once and then read by the owner.
  std::atomic<chan_core*> channel{nullptr};
  std::int64_t period = 0;    // > 0: a ticker
  bool fired_unseen = false;  // before there was a channel
  std::int64_t fired_due = 0;
  // Function timers: the object has a share, being armed is one, and so is each call under way.
  std::unique_ptr<timer_task> task;
  std::atomic<std::uint32_t> shares{0};
};

namespace {

void destroy_state(timer_node& n) noexcept { delete static_cast<timer_state*>(n.arg); }

// Sends `due` unless the last value still waits. Under the heap's lock.
void fire_channel(timer_node& n, std::int64_t due) noexcept {
  auto* t = static_cast<timer_state*>(n.arg);
  chan_core* c = t->channel.load(std::memory_order_relaxed);
  if (c == nullptr) {
    if (!t->fired_unseen) t->fired_due = due;
    t->fired_unseen = true;
    return;
  }
  time_point value{duration(due)};
  completion done;
  spinlock& lock = lock_of(*c);
  lock.lock();
  const outcome o = attempt_send(*c, &value, nullptr, done);
  lock.unlock();
  if (o == outcome::done) complete_send(*c, &value, done);
}

constexpr timer_kind k_channel_timer{timer_action::locked, fire_channel, destroy_state, nullptr};

// REQUIRES: outside the runtime: the task's destructor is user code.
void release_share(timer_state* t) noexcept {
  if (t->shares.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  t->task.reset();
  dead_timers dead;
  const entry e;
  t->node.heap->abandon(t->node, dead);
}

void release_share_of(void* self) noexcept { release_share(static_cast<timer_state*>(self)); }

void run_function(void* self) {
  auto* t = static_cast<timer_state*>(self);
  struct releaser {
    timer_state* t;
    ~releaser() { release_share(t); }
  } at_end{t};
  t->task->call();
}

// The share of being armed becomes that of the call.
void fire_function(timer_node& n, std::int64_t) noexcept {
  if (!start_plain(this_worker(), run_function, release_share_of, n.arg)) {
    fatal("out of memory (goroutine for after_func)");
  }
}

void forget_function(timer_node& n) noexcept { release_share(static_cast<timer_state*>(n.arg)); }

constexpr timer_kind k_function_timer{timer_action::deferred, fire_function, destroy_state, forget_function};

// Nobody else has a share any more.
void abandon(timer_state* t) noexcept {
  if (t->node.removed) {
    delete t;  // stopped, and never to be looked at by a heap again
    return;
  }
  dead_timers dead;
  const entry e;
  t->node.heap->abandon(t->node, dead);
}

// The last handle of a timer's channel has gone, the timer object's among them: nobody can receive any more.
void release_channel_timer(chan_core* c) noexcept {
  abandon(static_cast<timer_state*>(c->owner));
  chan_free(c);
}

// Takes back what was fired and not received. REQUIRES: the heap's lock, so that no firing is under way.
bool drain(timer_state& t) noexcept {
  if (t.fired_unseen) {
    t.fired_unseen = false;
    return true;
  }
  chan_core* c = t.channel.load(std::memory_order_relaxed);
  if (c == nullptr || c->count.load(std::memory_order_relaxed) == 0) return false;
  const std::lock_guard hold(lock_of(*c));
  time_point value;
  completion done;
  return attempt_recv(*c, &value, done) == outcome::done;
}

// When a timer of length d is due: not early by the clock's error either.
PIRN_ALWAYS_INLINE std::int64_t timer_instant(const entry& e, duration d) noexcept {
  const std::int64_t now = e.on() != nullptr ? e.on()->clock_now() + cycle_clock::k_error_ns : now_ns();
  return d.count() > k_forever - now ? k_forever : now + d.count();
}

}  // namespace

timer_state* timer_new(duration d, bool periodic) {
  if (periodic && d.count() <= 0) throw std::invalid_argument("non-positive interval for NewTicker");
  auto* t = new timer_state;
  t->period = periodic ? d.count() : 0;
  t->node.kind = &k_channel_timer;
  t->node.arg = t;
  dead_timers dead;
  const entry e;
  t->node.heap = &heap_here(e);
  t->node.heap->start(t->node, timer_instant(e, d), t->period, dead);
  announce(e);
  return t;
}

timer_state* timer_new_func(duration d, std::unique_ptr<timer_task> task) {
  auto* t = new timer_state;
  t->task = std::move(task);
  t->shares.store(2, std::memory_order_relaxed);
  t->node.kind = &k_function_timer;
  t->node.arg = t;
  dead_timers dead;
  const entry e;
  t->node.heap = &heap_here(e);
  t->node.heap->start(t->node, timer_instant(e, d), 0, dead);
  announce(e);
  return t;
}

bool timer_stop(timer_state* t) {
  bool prevented = false;
  {
    dead_timers dead;
    const entry e;
    timer_heap& heap = *t->node.heap;
    heap.lock().lock();
    prevented = heap.stop_locked(t->node);
    if (drain(*t)) prevented = true;
    heap.unlock(dead);
  }
  if (prevented && t->task != nullptr) release_share(t);
  return prevented;
}

namespace {

bool reset_function_timer(timer_state* t, duration d) {
  t->shares.fetch_add(1, std::memory_order_relaxed);  // before it can fire
  bool was_armed = false;
  {
    dead_timers dead;
    const entry e;
    was_armed = t->node.heap->start(t->node, timer_instant(e, d), 0, dead);
    announce(e);
  }
  if (was_armed) release_share(t);
  return was_armed;
}

}  // namespace

bool timer_reset(timer_state* t, duration d) {
  const bool periodic = t->period != 0;
  if (periodic && d.count() <= 0) throw std::invalid_argument("non-positive interval for Ticker.Reset");
  if (t->task != nullptr) return reset_function_timer(t, d);
  dead_timers dead;
  const entry e;
  timer_heap& heap = *t->node.heap;
  const std::int64_t when = timer_instant(e, d);
  heap.lock().lock();
  if (periodic) t->period = d.count();
  bool prevented = heap.start_locked(t->node, when, t->period);
  if (drain(*t)) prevented = true;
  heap.unlock(dead);
  announce(e);
  return prevented;
}

chan_core* timer_channel(timer_state* t) {
  if (t->task != nullptr) return nullptr;
  if (chan_core* c = t->channel.load(std::memory_order_acquire)) return c;
  chan_core* fresh = chan_new(1, element<time_point>::ops);
  fresh->is_timer = true;
  fresh->owner = t;
  fresh->on_last_release = release_channel_timer;
  chan_core* c = nullptr;
  {
    dead_timers dead;
    const entry e;
    timer_heap& heap = *t->node.heap;
    heap.lock().lock();
    c = t->channel.load(std::memory_order_relaxed);
    if (c == nullptr) {
      c = std::exchange(fresh, nullptr);
      if (std::exchange(t->fired_unseen, false)) {
        time_point value{duration(t->fired_due)};
        completion done;
        attempt_send(*c, &value, nullptr, done);  // nobody knows the channel yet
      }
      t->channel.store(c, std::memory_order_release);
    }
    heap.unlock(dead);
  }
  if (fresh != nullptr) chan_free(fresh);  // another thread was faster
  return c;
}

void timer_release(timer_state* t) noexcept {
  if (t->task != nullptr) {
    release_share(t);
  } else if (chan_core* c = t->channel.load(std::memory_order_acquire)) {
    chan_release(c);
  } else {
    abandon(t);
  }
}

}  // namespace detail
}  // namespace pirn
