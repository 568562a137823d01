// Sleeping, timers and tickers over the timer heaps. Layer: sync.
//
// A timer's channel is a ring of one that says it has no buffer. It is filled under the heap's lock and emptied by stop
// and reset under the same lock, so no value of before can come after them. Lock order: heap, then channel.
//
// Lifetime: a channel timer is part of its channel's allocation unit: the object holds a reference to the channel, and
// the last reference abandons the timer to its heap, which frees it with its last entry. A function timer has a count of
// its own; while it is armed the heap's share keeps it.
#include "pirn/time.h"

#include <memory>
#include <mutex>

#include "os/clock.h"
#include "sched/entry.h"
#include "sync/chan_wait.h"
#include "timer/timer_heap.h"

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

// The heap of the P that runs here; a foreign thread takes the first P's, which outlives the run.
timer_heap& heap_here(const entry& e) { return e.on() != nullptr ? *e.on()->p->timers : timer_heap_of(0); }

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
  heap.sleep_locked(*g, when);
  park(k_sleep, nullptr, switch_work::unlock(heap.lock()));
}

}  // namespace

time_point deadline_after(duration d) noexcept { return time_point(duration(instant_after(d))); }

void sleep_until_instant(time_point deadline) {
  const std::int64_t when = deadline.time_since_epoch().count();
  if (when > now_ns()) sleep_until_ns(when);
}

void sleep_for_duration(duration d) {
  if (d.count() > 0) sleep_until_ns(instant_after(d));
}

struct timer_state {
  timer_node node;
  chan_core* channel = nullptr;  // null: a function timer
  std::int64_t period = 0;       // > 0: a ticker
  std::unique_ptr<timer_task> task;
  // Function timers: the object has a share, being armed is one, and so is each call under way.
  std::atomic<std::uint32_t> shares{0};
};

namespace {

void destroy_state(timer_node& n) noexcept { delete static_cast<timer_state*>(n.arg); }

// Sends `due` unless the last value still waits. Under the heap's lock.
void fire_channel(timer_node& n, std::int64_t due) noexcept {
  chan_core& c = *static_cast<timer_state*>(n.arg)->channel;
  time_point value{duration(due)};
  completion done;
  spinlock& lock = lock_of(c);
  lock.lock();
  const outcome o = attempt_send(c, &value, nullptr, done);
  lock.unlock();
  if (o == outcome::done) complete_send(c, &value, done);
}

constexpr timer_kind k_channel_timer{timer_action::locked, fire_channel, destroy_state, nullptr};

// REQUIRES: outside the runtime: the task's destructor is user code.
void release_share(timer_state* t) noexcept {
  if (t->shares.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  t->task.reset();
  const entry e;
  t->node.heap->abandon(t->node);
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

// The last handle of a timer's channel has gone: nobody can receive any more.
void release_channel_timer(chan_core* c) noexcept {
  auto* t = static_cast<timer_state*>(c->owner);
  {
    const entry e;
    t->node.heap->abandon(t->node);
  }
  chan_free(c);
}

// REQUIRES: the heap's lock, so that no firing is under way.
bool drain(chan_core& c) noexcept {
  const std::lock_guard hold(lock_of(c));
  time_point value;
  completion done;
  return attempt_recv(c, &value, done) == outcome::done;
}

// A thread without a P has armed a timer: while every P is idle nobody would look at it by itself.
void announce(const entry& e) noexcept {
  if (e.on() != nullptr) return;
  if (scheduler* s = the_scheduler.load(std::memory_order_acquire)) wake_if_needed(*s);
}

}  // namespace

timer_state* timer_new(duration d, bool periodic) {
  if (periodic && d.count() <= 0) throw std::invalid_argument("non-positive interval for NewTicker");
  auto t = std::make_unique<timer_state>();
  chan_core* c = chan_new(1, element<time_point>::ops);
  c->is_timer = true;
  c->owner = t.get();
  c->on_last_release = release_channel_timer;
  t->channel = c;
  t->period = periodic ? d.count() : 0;
  t->node.kind = &k_channel_timer;
  t->node.arg = t.get();
  const std::int64_t when = instant_after(d);
  const entry e;
  t->node.heap = &heap_here(e);
  t->node.heap->start(t->node, when, t->period);
  announce(e);
  return t.release();
}

timer_state* timer_new_func(duration d, std::unique_ptr<timer_task> task) {
  auto t = std::make_unique<timer_state>();
  t->task = std::move(task);
  t->shares.store(2, std::memory_order_relaxed);
  t->node.kind = &k_function_timer;
  t->node.arg = t.get();
  const std::int64_t when = instant_after(d);
  const entry e;
  t->node.heap = &heap_here(e);
  t->node.heap->start(t->node, when);
  announce(e);
  return t.release();
}

bool timer_stop(timer_state* t) {
  bool prevented = false;
  {
    const entry e;
    timer_heap& heap = *t->node.heap;
    heap.lock().lock();
    prevented = heap.stop_locked(t->node);
    if (t->channel != nullptr && drain(*t->channel)) prevented = true;
    heap.unlock_and_destroy();
  }
  if (prevented && t->channel == nullptr) release_share(t);
  return prevented;
}

namespace {

bool reset_function_timer(timer_state* t, std::int64_t when) {
  t->shares.fetch_add(1, std::memory_order_relaxed);  // before it can fire
  bool was_armed = false;
  {
    const entry e;
    was_armed = t->node.heap->start(t->node, when);
    announce(e);
  }
  if (was_armed) release_share(t);
  return was_armed;
}

}  // namespace

bool timer_reset(timer_state* t, duration d) {
  if (t->period != 0) {
    if (d.count() <= 0) throw std::invalid_argument("non-positive interval for Ticker.Reset");
    t->period = d.count();
  }
  const std::int64_t when = instant_after(d);
  if (t->channel == nullptr) return reset_function_timer(t, when);
  const entry e;
  timer_heap& heap = *t->node.heap;
  heap.lock().lock();
  bool prevented = heap.start_locked(t->node, when, t->period);
  if (t->channel->count.load(std::memory_order_relaxed) != 0 && drain(*t->channel)) prevented = true;
  heap.unlock_and_destroy();
  announce(e);
  return prevented;
}

chan_core* timer_channel(timer_state* t) noexcept { return t->channel; }

void timer_release(timer_state* t) noexcept {
  if (t->channel != nullptr) {
    chan_release(t->channel);
    return;
  }
  release_share(t);
}

}  // namespace detail
}  // namespace pirn
