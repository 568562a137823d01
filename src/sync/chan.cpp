// Channels. Layer: sync. Invariants: pirn/detail/chan_core.h; the two steps: sync/chan_wait.h.
//
// A sender that finds a waiting receiver moves the value straight into the receiver's private slot; the receiver
// assigns to the user's variable on its own goroutine. Everything inside the runtime, so a holder of the lock is never
// stopped by the runtime itself.
#include "pirn/chan.h"

#include <cstring>
#include <limits>
#include <mutex>

#include "sync/cancellation.h"
#include "sync/chan_wait.h"

namespace pirn::detail {

using namespace pirn::rt;  // NOLINT: this file implements detail over rt

namespace {

bool unlink_chan_waiter(goroutine*, void* object) noexcept {
  auto& w = *static_cast<chan_waiter*>(object);
  chan_core& c = *w.channel;
  const std::lock_guard hold(lock_of(c));
  if (!w.queued) return false;
  unqueue(w.sending ? c.senders : c.receivers, w);
  return true;
}

constexpr park_kind k_send{"chan send", unlink_chan_waiter};
constexpr park_kind k_recv{"chan receive", unlink_chan_waiter};
constexpr park_kind k_send_nil{"chan send (nil chan)", unlink_queued};
constexpr park_kind k_recv_nil{"chan receive (nil chan)", unlink_queued};

[[noreturn]] void throw_closed() { throw closed_channel("send on closed channel"); }

PIRN_ALWAYS_INLINE void copy_element(const chan_core& c, void* to, const void* from) noexcept {
  // Where all is optimised as one the compiler may know what `to` points at, and warn of the sizes that this has not.
  asm("" : "+r"(to));
  // The common sizes as single moves.
  switch (c.ops->size) {
    case 8:
      std::memcpy(to, from, 8);
      break;
    case 4:
      std::memcpy(to, from, 4);
      break;
    case 0:
      break;  // void: both may be null
    default:
      std::memcpy(to, from, c.ops->size);
  }
}

void move_value(const chan_core& c, void* to, void* from) noexcept {
  if (c.ops->trivial) {
    copy_element(c, to, from);
  } else {
    c.ops->move(to, from);
  }
}

PIRN_ALWAYS_INLINE void put_in_ring(chan_core& c, void* value, void* box) noexcept {
  std::byte* at = c.ring + c.tail * c.stride;
  if (c.ops->trivial) {
    copy_element(c, at, value);
  } else {
    c.ops->move(box, value);
    std::memcpy(at, &box, sizeof box);
  }
  c.tail = c.tail + 1 == c.capacity ? 0 : c.tail + 1;
}

// The first waiter that can still be served, off the queue; a select that another channel has served passes by.
PIRN_ALWAYS_INLINE chan_waiter* dequeue(chan_queue& q) noexcept {
  for (;;) {
    chan_waiter* w = q.first.load(std::memory_order_relaxed);
    if (w == nullptr) return nullptr;
    unqueue(q, *w);
    if (w->claim == nullptr) return w;
    if (w->claim->win()) {
      w->claim->winner = w;
      return w;
    }
  }
}

}  // namespace

outcome attempt_send(chan_core& c, void* value, void* box, completion& done) noexcept {
  if (PIRN_UNLIKELY(c.closed.load(std::memory_order_relaxed))) return outcome::closed;
  if (chan_waiter* receiver = dequeue(c.receivers)) {
    done.peer = receiver;
    done.direct = true;
    return outcome::done;
  }
  const std::size_t count = c.count.load(std::memory_order_relaxed);
  if (count == c.capacity) return outcome::would_wait;
  put_in_ring(c, value, box);
  done.box_used = true;
  c.count.store(count + 1, std::memory_order_release);
  return outcome::done;
}

void complete_send(chan_core& c, void* value, const completion& done) noexcept {
  if (done.peer == nullptr) return;
  move_value(c, done.peer->value, value);
  done.peer->success = true;
  resume(*done.peer->who);
}

outcome attempt_recv(chan_core& c, void* slot, completion& done) noexcept {
  const std::size_t count = c.count.load(std::memory_order_relaxed);
  if (count != 0) {
    std::byte* at = c.ring + c.head * c.stride;
    if (c.ops->trivial) {
      copy_element(c, slot, at);
    } else {
      std::memcpy(&done.box, at, sizeof done.box);
    }
    c.head = c.head + 1 == c.capacity ? 0 : c.head + 1;
    if (chan_waiter* sender = dequeue(c.senders)) {
      // The buffer was full: what the sender waits with takes the place at the end.
      put_in_ring(c, sender->value, sender->box);
      done.peer = sender;
    } else {
      c.count.store(count - 1, std::memory_order_release);
    }
    return outcome::done;
  }
  if (chan_waiter* sender = dequeue(c.senders)) {
    done.peer = sender;
    done.direct = true;
    return outcome::done;
  }
  return c.closed.load(std::memory_order_relaxed) ? outcome::closed : outcome::would_wait;
}

void complete_recv(chan_core& c, void* slot, const completion& done) noexcept {
  if (done.peer == nullptr) return;
  if (done.direct) move_value(c, slot, done.peer->value);
  done.peer->success = true;
  resume(*done.peer->who);
}

chan_core* chan_new(std::size_t capacity, const element_ops& ops) {
  const std::size_t size = ops.trivial ? ops.size : sizeof(void*);
  const std::size_t align = ops.trivial ? ops.align : alignof(void*);
  const std::size_t at = (sizeof(chan_core) + align - 1) / align * align;
  if (size != 0 && capacity > (std::size_t{1} << 46) / size) throw std::invalid_argument("makechan: size out of range");
  const std::size_t whole_align = align > alignof(chan_core) ? align : alignof(chan_core);
  void* memory = ::operator new(at + capacity * size, std::align_val_t{whole_align});
  auto* c = ::new (memory) chan_core;
  c->capacity = capacity;
  c->ops = &ops;
  c->stride = size;
  c->ring = static_cast<std::byte*>(memory) + at;
  return c;
}

void chan_free(chan_core* c) noexcept {
  const element_ops& ops = *c->ops;
  if (!ops.trivial) {
    for (std::size_t n = c->count.load(std::memory_order_relaxed); n > 0; --n) {
      void* box = nullptr;
      std::memcpy(&box, c->ring + c->head * c->stride, sizeof box);
      ops.drop_box(box);
      c->head = c->head + 1 == c->capacity ? 0 : c->head + 1;
    }
  }
  const std::size_t align = ops.trivial && ops.align > alignof(chan_core) ? ops.align : alignof(chan_core);
  c->~chan_core();
  ::operator delete(static_cast<void*>(c), std::align_val_t{align});
}

namespace {

[[noreturn]] PIRN_COLD void wait_for_ever(const park_kind& kind) {
  for (;;) wait_until_canceled(nullptr, kind);
}

struct spare_box {
  const element_ops& ops;
  void* box = nullptr;
  ~spare_box() {
    if (box != nullptr) ops.delete_box(box);
  }
};

}  // namespace

namespace {

enum class ending { done, closed, canceled };

// Queues w, and waits until it is served, the channel closed or `c` cancelled. REQUIRES: the lock, which it gives back.
ending wait_in(chan_queue& q, chan_waiter& w, const park_kind& kind, const cancellation& c) {
  spinlock& lock = lock_of(*w.channel);
  if (c.asked()) {
    lock.unlock();
    return ending::canceled;
  }
  enqueue(q, w);
  suspend(*w.who, kind, &w, lock);
  return w.success ? ending::done : c.withdrawn() ? ending::canceled : ending::closed;
}

// REQUIRES: the lock, which it gives back. What attempt_send() has found is not that it would wait.
PIRN_ALWAYS_INLINE ending finish_send(chan_core* c, void* value, void*& box, outcome o, const completion& done) {
  lock_of(*c).unlock();
  if (o == outcome::closed) return ending::closed;
  if (done.box_used) box = nullptr;
  complete_send(*c, value, done);
  return ending::done;
}

// The form of a send for everything but the hot path: foreign threads, nested entries, boxes, contexts (`by`).
PIRN_NOINLINE ending send_or_park_general(chan_core* c, void* value, void*& box, cancel_node* by) {
  const entry e;
  completion done;
  lock_of(*c).lock();
  outcome o = attempt_send(*c, value, box, done);
  if (PIRN_LIKELY(o != outcome::would_wait)) return finish_send(c, value, box, o, done);
  waiter who(e.current());
  chan_waiter w;
  w.channel = c;
  w.value = value;
  w.box = box;
  w.who = &who;
  w.sending = true;
  cancellation canceled(by, who, unlink_chan_waiter, &w);
  if (by != nullptr) {
    // A context's lock comes before a channel's.
    lock_of(*c).unlock();
    if (!canceled.begin()) return ending::canceled;
    lock_of(*c).lock();
    o = attempt_send(*c, value, box, done);
    if (o != outcome::would_wait) return finish_send(c, value, box, o, done);
  }
  const ending end = wait_in(c->senders, w, k_send, canceled);
  // With a buffer, receivers take from the ring first, and what a parked sender holds follows into it with its box.
  if (end == ending::done) box = nullptr;
  return end;
}

PIRN_NOINLINE ending send_general(chan_core* c, void* value, cancel_node* by) {
  spare_box spare{*c->ops};
  if (needs_box(*c)) spare.box = c->ops->new_box();
  const ending end = send_or_park_general(c, value, spare.box, by);
  if (end == ending::closed) throw_closed();
  return end;
}

}  // namespace

// The hot path below is attempt, complete and suspend written out for a goroutine and a trivial element.
void chan_send(chan_core* c, void* value) {
  if (PIRN_UNLIKELY(c == nullptr)) wait_for_ever(k_send_nil);
  worker* w = c->ops->trivial ? try_enter_fast() : nullptr;
  if (PIRN_UNLIKELY(w == nullptr)) {
    send_general(c, value, nullptr);
    return;
  }
  spinlock& lock = lock_of(*c);
  lock.lock();
  if (PIRN_UNLIKELY(c->closed.load(std::memory_order_relaxed))) {
    lock.unlock();
    leave(w);
    throw_closed();
  }
  if (chan_waiter* receiver = dequeue(c->receivers)) {
    lock.unlock();
    copy_element(*c, receiver->value, value);
    receiver->success = true;
    resume_on(w, *receiver->who);
    leave(w);
    return;
  }
  const std::size_t count = c->count.load(std::memory_order_relaxed);
  if (PIRN_LIKELY(count != c->capacity)) {
    put_in_ring(*c, value, nullptr);
    c->count.store(count + 1, std::memory_order_release);
    lock.unlock();
    leave(w);
    return;
  }
  waiter who(w->current);
  chan_waiter node;
  node.channel = c;
  node.value = value;
  node.who = &who;
  node.sending = true;
  enqueue(c->senders, node);
  park_on(w, k_send, &node, switch_work::unlock(lock));
  leave(this_worker());
  if (PIRN_UNLIKELY(!node.success)) throw_closed();
}

namespace {

// As finish_send(). `box` is set when that is where the value is.
PIRN_ALWAYS_INLINE ending finish_recv(chan_core* c, void* slot, void*& box, outcome o, const completion& done) {
  lock_of(*c).unlock();
  if (o == outcome::closed) return ending::closed;
  complete_recv(*c, slot, done);
  box = done.box;
  return ending::done;
}

ending recv_or_park(chan_core* c, void* slot, void*& box, cancel_node* by) {
  const entry e;
  completion done;
  lock_of(*c).lock();
  outcome o = attempt_recv(*c, slot, done);
  if (PIRN_LIKELY(o != outcome::would_wait)) return finish_recv(c, slot, box, o, done);
  waiter who(e.current());
  chan_waiter w;
  w.channel = c;
  w.value = slot;
  w.who = &who;
  cancellation canceled(by, who, unlink_chan_waiter, &w);
  if (by != nullptr) {
    lock_of(*c).unlock();
    if (!canceled.begin()) return ending::canceled;
    lock_of(*c).lock();
    o = attempt_recv(*c, slot, done);
    if (o != outcome::would_wait) return finish_recv(c, slot, box, o, done);
  }
  return wait_in(c->receivers, w, k_recv, canceled);
}

PIRN_NOINLINE ending recv_general(chan_core* c, void* slot, cancel_node* by) {
  void* box = nullptr;
  const ending end = recv_or_park(c, slot, box, by);
  open_box(*c, box, slot);
  return end;
}

}  // namespace

bool chan_recv(chan_core* c, void* slot) {
  if (PIRN_UNLIKELY(c == nullptr)) wait_for_ever(k_recv_nil);
  worker* w = c->ops->trivial ? try_enter_fast() : nullptr;
  if (PIRN_UNLIKELY(w == nullptr)) return recv_general(c, slot, nullptr) == ending::done;
  spinlock& lock = lock_of(*c);
  lock.lock();
  const std::size_t count = c->count.load(std::memory_order_relaxed);
  if (count != 0) {
    copy_element(*c, slot, c->ring + c->head * c->stride);
    c->head = c->head + 1 == c->capacity ? 0 : c->head + 1;
    if (PIRN_LIKELY(c->senders.first.load(std::memory_order_relaxed) == nullptr)) {
      c->count.store(count - 1, std::memory_order_release);
      lock.unlock();
      leave(w);
      return true;
    }
    chan_waiter* sender = dequeue(c->senders);
    if (sender != nullptr) {
      put_in_ring(*c, sender->value, nullptr);
    } else {
      c->count.store(count - 1, std::memory_order_release);
    }
    lock.unlock();
    if (sender != nullptr) {
      sender->success = true;
      resume_on(w, *sender->who);
    }
    leave(w);
    return true;
  }
  if (chan_waiter* sender = dequeue(c->senders)) {
    lock.unlock();
    copy_element(*c, slot, sender->value);
    sender->success = true;
    resume_on(w, *sender->who);
    leave(w);
    return true;
  }
  if (PIRN_UNLIKELY(c->closed.load(std::memory_order_relaxed))) {
    lock.unlock();
    leave(w);
    return false;
  }
  waiter who(w->current);
  chan_waiter node;
  node.channel = c;
  node.value = slot;
  node.who = &who;
  enqueue(c->receivers, node);
  park_on(w, k_recv, &node, switch_work::unlock(lock));
  leave(this_worker());
  return node.success;
}

std::error_code chan_send(chan_core* c, const pirn::context& ctx, void* value) {
  if (const std::error_code ended = ctx.err()) return ended;
  cancel_node* by = canceler_for_wait(ctx);
  if (c == nullptr) {
    wait_until_canceled(by, k_send_nil);
    return ctx.err();
  }
  return send_general(c, value, by) == ending::canceled ? ctx.err() : std::error_code();
}

std::error_code chan_recv(chan_core* c, const pirn::context& ctx, void* slot, bool& received) {
  if (const std::error_code ended = ctx.err()) return ended;
  cancel_node* by = canceler_for_wait(ctx);
  if (c == nullptr) {
    wait_until_canceled(by, k_recv_nil);
    return ctx.err();
  }
  const ending end = recv_general(c, slot, by);
  received = end == ending::done;
  return end == ending::canceled ? ctx.err() : std::error_code();
}

bool chan_try_send(chan_core* c, void* value) {
  if (c == nullptr || c->nowhere_to_send()) return false;
  spare_box spare{*c->ops};
  if (needs_box(*c)) spare.box = c->ops->new_box();
  outcome o{};
  {
    const entry e;
    completion done;
    lock_of(*c).lock();
    o = attempt_send(*c, value, spare.box, done);
    lock_of(*c).unlock();
    if (o == outcome::done) {
      if (done.box_used) spare.box = nullptr;
      complete_send(*c, value, done);
    }
  }
  if (o == outcome::closed) throw_closed();
  return o == outcome::done;
}

chan_status chan_try_recv(chan_core* c, void* slot) {
  if (c == nullptr || c->nothing_to_receive()) return chan_status::empty;
  completion done;
  outcome o{};
  {
    const entry e;
    {
      const std::lock_guard hold(lock_of(*c));
      o = attempt_recv(*c, slot, done);
    }
    if (o == outcome::done) complete_recv(*c, slot, done);
  }
  if (o == outcome::closed) return chan_status::closed;
  if (o != outcome::done) return chan_status::empty;
  open_box(*c, done.box, slot);
  return chan_status::ok;
}

bool chan_close_once(chan_core* c) noexcept {
  const entry e;
  chan_waiter* woken = nullptr;
  chan_waiter** tail = &woken;
  {
    const std::lock_guard hold(lock_of(*c));
    if (c->closed.load(std::memory_order_relaxed)) return false;
    c->closed.store(true, std::memory_order_release);
    for (chan_queue* q : {&c->receivers, &c->senders}) {
      while (chan_waiter* w = dequeue(*q)) {
        w->next = nullptr;
        *tail = w;
        tail = &w->next;
      }
    }
  }
  while (woken != nullptr) {
    chan_waiter* w = woken;
    woken = w->next;
    resume(*w->who);
  }
  return true;
}

void chan_close(chan_core* c) {
  if (c == nullptr) throw nil_channel("close of nil channel");
  if (!chan_close_once(c)) throw closed_channel("close of closed channel");
}

}  // namespace pirn::detail
