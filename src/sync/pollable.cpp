// Waiting for descriptors, their deadlines, and closing them under those who use them. Layer: sync. What may be relied
// on: sync/pollable.h.
//
// Lock order: timer heap, then poll_desc::mu; a deadline is set under both, so no earlier one fires after it.
#include "sync/pollable.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <new>

#include "os/clock.h"
#include "sched/entry.h"
#include "sync/timers.h"

namespace pirn::rt {

// Of one direction; made by the first deadline that lies ahead. Its node is destroyed by its heap.
struct deadline_timer {
  timer_node node;
  pollable* of = nullptr;
  poll_side side = poll_side::read;

  void expire() noexcept;
};

namespace {

void fire_deadline(timer_node& n, std::int64_t) noexcept { static_cast<deadline_timer*>(n.arg)->expire(); }
void destroy_deadline(timer_node& n) noexcept { delete static_cast<deadline_timer*>(n.arg); }
constexpr timer_kind k_deadline{timer_action::locked, fire_deadline, destroy_deadline, nullptr};

void unlock_desc(void* d) noexcept { static_cast<poll_desc*>(d)->mu.unlock(); }

void make_ready(ready_list& list) noexcept {
  while (goroutine* g = list.pop_front()) ready(g);
}

// One that waits, as the end of a run finds it.
struct parked_use : poll_waiter {
  pollable* on = nullptr;
  poll_desc* desc = nullptr;
  poll_side side = poll_side::read;
};

}  // namespace

struct pollable_access {
  static bool unlink(goroutine*, void* object) noexcept {
    auto& w = *static_cast<parked_use*>(object);
    w.desc->mu.lock();
    const bool mine = end_wait_locked(*w.desc, w.side, w);
    w.desc->mu.unlock();
    // An abandoned goroutine does not come back to end its use of the descriptor; one that unwinds does.
    const scheduler* s = the_scheduler.load(std::memory_order_relaxed);
    if (mine && !s->draining.load(std::memory_order_relaxed)) w.on->end_use();
    return mine;
  }
};

namespace {
constexpr park_kind k_io_wait{"IO wait", pollable_access::unlink, true};
}

pollable* pollable::make(int fd, bool stream) noexcept {
  if (this_worker() != nullptr && need_poller(*this_worker()->sched) == nullptr) return nullptr;
  poll_desc* d = nullptr;
  {
    const entry e;
    d = take_poll_desc();
  }
  auto* p = d == nullptr ? nullptr : new (std::nothrow) pollable(fd, d, stream);
  if (p == nullptr) {
    if (d != nullptr) {
      const entry e;
      release_poll_desc(d);
    }
    errno = ENOMEM;
  }
  return p;
}

void pollable::release() noexcept {
  close(true);
  drop_share();
}

void pollable::drop_share() noexcept {
  if (shares_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

bool pollable::begin_use() noexcept {
  // Not counted and taken back: once it is closed the count reaches zero one time only.
  std::uint32_t seen = state_.load(std::memory_order_relaxed);
  while ((seen & k_closed) == 0) {
    if (state_.compare_exchange_weak(seen, seen + k_one_use, std::memory_order_acquire)) return true;
  }
  return false;
}

void pollable::end_use() noexcept {
  if (state_.fetch_sub(k_one_use, std::memory_order_acq_rel) == (k_one_use | k_closed)) close_descriptor();
}

bool pollable::close(bool disconnect) noexcept {
  const std::uint32_t before = state_.fetch_or(k_closed, std::memory_order_acq_rel);
  if ((before & k_closed) != 0) return false;
  {
    const entry e;
    ready_list waiting;
    desc_->mu.lock();
    desc_->closing = true;
    take_waiters_locked(*desc_, poll_side::read, poll_result::closed, waiting);
    take_waiters_locked(*desc_, poll_side::write, poll_result::closed, waiting);
    desc_->mu.unlock();
    make_ready(waiting);
  }
  if (disconnect && before != k_one_use) shutdown(fd_, SHUT_RDWR);
  end_use();
  return true;
}

// Nobody uses it and nobody will.
void pollable::close_descriptor() noexcept {
  const std::uint32_t added_to = added_to_.load(std::memory_order_relaxed);
  dead_timers dead;
  {
    const entry e;  // keeps the run, and with it the poller, from ending here
    scheduler* s = the_scheduler.load(std::memory_order_acquire);
    if (added_to != 0 && s != nullptr && s->net.number.load(std::memory_order_acquire) == added_to) {
      s->net.get()->remove(fd_);
    }
    for (auto& timer : timers_) {
      if (deadline_timer* t = timer.load(std::memory_order_acquire)) t->node.heap->abandon(t->node, dead);
    }
    release_poll_desc(desc_);
  }
  ::close(fd_);
  drop_share();
}

// Twice is no harm: two calls may come here at once.
int pollable::add_to_poller() noexcept {
  scheduler& s = *this_worker()->sched;
  poller* p = need_poller(s);
  if (p == nullptr) return errno;
  const std::uint32_t number = s.net.number.load(std::memory_order_relaxed);
  if (added_to_.load(std::memory_order_acquire) == number) return 0;
  const int error = p->add(fd_, desc_->tag());
  if (error == 0) added_to_.store(number, std::memory_order_release);
  return error;
}

poll_result pollable::wait(poll_side s, int& error) {
  if (this_worker() == nullptr) return wait_on_thread(s);
  error = add_to_poller();
  if (error != 0) return poll_result::failed;
  const entry e;
  parked_use w;
  w.g = e.current();
  w.on = this;
  w.desc = desc_;
  w.side = s;
  desc_->mu.lock();
  if (!begin_wait_locked(*desc_, s, w)) {
    desc_->mu.unlock();
    return w.why;
  }
  park(k_io_wait, static_cast<void*>(&w), switch_work::call(unlock_desc, desc_));  // [PD-2]
  return w.why;
}

// For want of a descriptor to be woken by.
poll_result pollable::wait_a_while(poll_side s) noexcept {
  constexpr timespec k_while{0, 10'000'000};
  poll_waiter nobody;
  nobody.why = poll_result::try_again;
  desc_->mu.lock();
  poll_desc::direction& side = desc_->side(s);
  if (side.deadline != k_forever && side.deadline <= now_ns()) side.expired.store(true, std::memory_order_release);
  if (begin_wait_locked(*desc_, s, nobody)) end_wait_locked(*desc_, s, nobody);
  desc_->mu.unlock();
  pollfd p{fd_, static_cast<short>(s == poll_side::read ? POLLIN : POLLOUT), 0};
  if (nobody.why == poll_result::try_again) ppoll(&p, 1, &k_while, nullptr);
  return nobody.why;
}

poll_result pollable::wait_on_thread(poll_side s) noexcept {
  poll_waiter w;
  w.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (w.wake_fd < 0) return wait_a_while(s);
  desc_->mu.lock();
  const bool waits = begin_wait_locked(*desc_, s, w);
  const std::int64_t until = desc_->side(s).deadline;
  desc_->mu.unlock();
  if (waits) {
    pollfd fds[] = {{fd_, static_cast<short>(s == poll_side::read ? POLLIN : POLLOUT), 0}, {w.wake_fd, POLLIN, 0}};
    std::int64_t left = until == k_forever ? 0 : until - now_ns();
    if (left < 0) left = 0;
    const timespec t{left / 1'000'000'000, left % 1'000'000'000};
    ppoll(fds, 2, until == k_forever ? nullptr : &t, nullptr);
    desc_->mu.lock();
    // A timer would need a run.
    if (end_wait_locked(*desc_, s, w) && until != k_forever && now_ns() >= until) {
      desc_->side(s).expired.store(true, std::memory_order_release);
      w.why = poll_result::expired;
    }
    desc_->mu.unlock();
  }
  ::close(w.wake_fd);
  return w.why;
}

void deadline_timer::expire() noexcept {
  ready_list waiting;
  poll_desc& d = *of->desc_;
  d.mu.lock();
  d.side(side).expired.store(true, std::memory_order_release);
  take_waiters_locked(d, side, poll_result::expired, waiting);
  d.mu.unlock();
  make_ready(waiting);
}

deadline_timer& pollable::need_timer(poll_side s) {
  std::atomic<deadline_timer*>& at = timers_[static_cast<unsigned>(s)];
  if (deadline_timer* t = at.load(std::memory_order_acquire)) return *t;
  auto fresh = std::make_unique<deadline_timer>();
  fresh->node.kind = &k_deadline;
  fresh->node.arg = fresh.get();
  fresh->of = this;
  fresh->side = s;
  {
    const entry e;
    fresh->node.heap = &heap_here(e);
  }
  deadline_timer* none = nullptr;
  if (at.compare_exchange_strong(none, fresh.get(), std::memory_order_acq_rel)) return *fresh.release();
  return *none;
}

void pollable::set_deadline(poll_side s, std::int64_t tp) {
  deadline_timer* timer = tp == k_forever || tp <= now_ns() ? timers_[static_cast<unsigned>(s)].load() : &need_timer(s);
  dead_timers dead;
  const entry e;
  ready_list waiting;
  if (timer != nullptr) timer->node.heap->lock().lock();
  desc_->mu.lock();
  poll_desc::direction& side = desc_->side(s);
  // Looked at again: a deadline that has passed by now is not left to a timer.
  const bool past = tp != k_forever && tp <= now_ns();
  if (!desc_->closing) {
    side.deadline = tp;
    side.expired.store(past, std::memory_order_release);
    if (timer != nullptr && (past || tp == k_forever)) timer->node.heap->stop_locked(timer->node);
    if (timer != nullptr && !past && tp != k_forever) timer->node.heap->start_locked(timer->node, tp);
    if (past) take_waiters_locked(*desc_, s, poll_result::expired, waiting);
    if (!past) send_threads_back_locked(*desc_, s);
  }
  desc_->mu.unlock();
  if (timer != nullptr) timer->node.heap->unlock(dead);
  make_ready(waiting);
  announce(e);
}

bool pollable::read_would_block() noexcept {
  if (!short_read_) return false;
  short_read_ = false;
  if (this_worker() == nullptr || desc_->ended.load(std::memory_order_relaxed)) return false;
  return added_to_.load(std::memory_order_relaxed) ==
             this_worker()->sched->net.number.load(std::memory_order_relaxed) &&
         !desc_->side(poll_side::read).ready.load(std::memory_order_relaxed);
}

}  // namespace pirn::rt
