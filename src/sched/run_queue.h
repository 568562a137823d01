// The run queue of one P: a slot for what was made ready last, and a ring. Layer: sched. Essay:
// docs/internals/scheduler.md.
//
// Owner only. No atomic read-modify-write anywhere: other threads never take from it. They ask the owner to share
// (worker::attention), and take over only from an owner that stays outside the runtime, through the hold handshake,
// which makes them the owner for its length. The counts are atomic so that others may look.
#pragma once

#include <atomic>
#include <cstdint>

#include "g/goroutine.h"

namespace pirn::rt {

// Goroutines in order, linked by `next`.
struct g_list {
  goroutine* first = nullptr;
  goroutine* last = nullptr;
  std::uint32_t count = 0;

  void push_back(goroutine* g) noexcept {
    g->next = nullptr;
    if (last != nullptr) {
      last->next = g;
    } else {
      first = g;
    }
    last = g;
    ++count;
  }
  goroutine* pop_front() noexcept {
    goroutine* g = first;
    if (g == nullptr) return nullptr;
    first = g->next;
    if (first == nullptr) last = nullptr;
    --count;
    return g;
  }
  void append(g_list& other) noexcept {
    if (other.first == nullptr) return;
    if (last != nullptr) {
      last->next = other.first;
    } else {
      first = other.first;
    }
    last = other.last;
    count += other.count;
    other = {};
  }
};

// Batches of pointers to goroutines, in order. They move as wholes: no goroutine is touched, as linking them would, and
// whoever takes a batch up can fetch ahead. Not thread-safe.
template <std::uint32_t N>
class batch_queue {
 public:
  static constexpr std::uint32_t k_batch = 128;

  struct batch {          // not initialised: few are ever touched
    std::uint32_t begin;  // of what is left
    std::uint32_t end;
    goroutine* g[k_batch];
  };

  std::uint32_t size() const noexcept { return newest_ - oldest_; }
  bool full() const noexcept { return size() == N; }
  batch& push() noexcept {
    batch& b = batches_[newest_++ % N];
    b.begin = b.end = 0;
    return b;
  }
  batch& newest() noexcept { return batches_[(newest_ - 1) % N]; }
  void pop_newest() noexcept { --newest_; }
  batch& oldest() noexcept { return batches_[oldest_ % N]; }
  void pop_oldest() noexcept { ++oldest_; }

 private:
  std::uint32_t oldest_ = 0;
  std::uint32_t newest_ = 0;
  batch batches_[N];
};

// What no P has: goroutines one by one in a list, and batches that Ps gave away. Guarded by scheduler::mu.
class global_queue {
 public:
  using batches = batch_queue<32>;

  std::uint32_t size() const noexcept { return list_.count + in_batches_; }
  void push_back(goroutine* g) noexcept { list_.push_back(g); }
  void append(g_list& list) noexcept { list_.append(list); }
  bool has_room() const noexcept { return !batches_.full(); }
  // REQUIRES: has_room().
  void push_batch(goroutine* const* from, std::uint32_t count) noexcept {
    batches::batch& b = batches_.push();
    for (std::uint32_t i = 0; i < count; ++i) b.g[i] = from[i];
    b.end = count;
    in_batches_ += count;
  }
  // In turn from the list and from the batches, each in its order; null when there is none.
  goroutine* pop_front() noexcept {
    goroutine* g = nullptr;
    return take(&g, 1) == 0 ? nullptr : g;
  }
  // Up to `most` into `out`; how many.
  std::uint32_t take(goroutine** out, std::uint32_t most) noexcept {
    list_is_next_ = (!list_is_next_ || batches_.size() == 0) && list_.count != 0;
    std::uint32_t n = 0;
    if (list_is_next_) {
      while (n < most && list_.count != 0) out[n++] = list_.pop_front();
    } else if (batches_.size() != 0) {
      batches::batch& b = batches_.oldest();
      while (n < most && b.begin != b.end) out[n++] = b.g[b.begin++];
      if (b.begin == b.end) batches_.pop_oldest();
      in_batches_ -= n;
    }
    return n;
  }

 private:
  g_list list_;
  batches batches_;
  std::uint32_t in_batches_ = 0;
  bool list_is_next_ = false;
};

class run_queue {
 public:
  static constexpr std::uint32_t k_capacity = 256;

  // In the ring and behind it; the slot is not counted. Any thread; may be too large, never 0 while something is there.
  // [RQ-2] overflowed_ is read first: who sees it lowered by refill_from_batch() sees the tail that was raised before.
  std::uint32_t size() const noexcept {
    const std::uint32_t behind = overflowed_.load(std::memory_order_acquire);
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed) + behind;
  }
  bool has_next() const noexcept { return next_.load(std::memory_order_relaxed) != nullptr; }
  bool empty() const noexcept { return !has_next() && size() == 0; }

  // Room is made by moving the older half into a batch. What has no place there either is given out: `spilled`.
  void push_tail(goroutine* g, g_list& spilled) noexcept {
    if (PIRN_UNLIKELY(!try_push_tail(g))) {
      if (overflow_.full()) spilled = take_oldest_batch();
      move_half_to_batch();
      try_push_tail(g);
    }
  }

  // False when the ring is full.
  bool try_push_tail(goroutine* g) noexcept {
    const std::uint32_t t = tail_.load(std::memory_order_relaxed);
    if (PIRN_UNLIKELY(t - head_.load(std::memory_order_relaxed) == k_capacity)) return false;
    ring_[t % k_capacity] = g;
    // [RQ-1] release: who looks at the count from outside and then becomes the owner sees the slot.
    tail_.store(t + 1, std::memory_order_release);
    return true;
  }

  goroutine* pop_head() noexcept {
    std::uint32_t h = head_.load(std::memory_order_relaxed);
    if (h == tail_.load(std::memory_order_relaxed)) {
      if (PIRN_LIKELY(overflow_.size() == 0)) return nullptr;
      refill_from_batch();
      h = head_.load(std::memory_order_relaxed);
    }
    goroutine* g = ring_[h % k_capacity];
    // When many are queued those that follow will have left the cache: the object two ahead, the stack one ahead.
    if (tail_.load(std::memory_order_relaxed) - h > 2) {
      __builtin_prefetch(ring_[(h + 2) % k_capacity]);
      __builtin_prefetch(ring_[(h + 1) % k_capacity]->ctx.sp);
    }
    head_.store(h + 1, std::memory_order_release);
    return g;
  }

  // Before the current goroutine is queued to let others go first: it must not stand in front of what is behind an
  // empty ring.
  void bring_forward() noexcept {
    if (PIRN_UNLIKELY(head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_relaxed)) &&
        overflow_.size() != 0) {
      refill_from_batch();
    }
  }

  // The one that has waited longest.
  goroutine* pop_oldest() noexcept {
    if (overflow_.size() == 0) return pop_head();
    overflow::batch& b = overflow_.oldest();
    goroutine* g = b.g[b.begin++];
    if (b.begin == b.end) overflow_.pop_oldest();
    overflowed_.store(overflowed_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    return g;
  }

  goroutine* take_next() noexcept {
    goroutine* g = next_.load(std::memory_order_relaxed);
    if (g != nullptr) next_.store(nullptr, std::memory_order_relaxed);
    return g;
  }

  // Puts g into the slot; returns who was there.
  goroutine* exchange_next(goroutine* g) noexcept {
    goroutine* old = next_.load(std::memory_order_relaxed);
    next_.store(g, std::memory_order_relaxed);
    return old;
  }

  // The slot first, then the ring in order.
  goroutine* pop() noexcept {
    goroutine* g = take_next();
    return g != nullptr ? g : pop_head();
  }

  // Gives away half of what is queued, rounded up, as far as `to` has room: the oldest batches (several times, who
  // takes them asks again), or the older half of the ring. How many goroutines.
  std::uint32_t give_half(global_queue& to) noexcept {
    constexpr std::uint32_t k_most_batches = 8;
    std::uint32_t given = 0;
    std::uint32_t batches = (overflow_.size() + 1) / 2;
    if (batches > k_most_batches) batches = k_most_batches;
    for (; batches > 0 && to.has_room(); --batches) {
      overflow::batch& b = overflow_.oldest();
      to.push_batch(b.g + b.begin, b.end - b.begin);
      given += b.end - b.begin;
      overflow_.pop_oldest();
    }
    if (given != 0) {
      overflowed_.store(overflowed_.load(std::memory_order_relaxed) - given, std::memory_order_relaxed);
    } else if (overflow_.size() == 0 && to.has_room()) {
      goroutine* half[overflow::k_batch];
      static_assert(overflow::k_batch >= k_capacity / 2);
      const std::uint32_t h = head_.load(std::memory_order_relaxed);
      given = (tail_.load(std::memory_order_relaxed) - h + 1) / 2;
      for (std::uint32_t i = 0; i < given; ++i) half[i] = ring_[(h + i) % k_capacity];
      if (given != 0) to.push_batch(half, given);
      head_.store(h + given, std::memory_order_release);
    }
    return given;
  }

  g_list take_all() noexcept {
    g_list out;
    while (goroutine* g = pop()) out.push_back(g);
    return out;
  }

 private:
  // Taken newest first, so that a goroutine that spawns goroutines that spawn goroutines works its tree off depth first
  // and its working set stays small; one in k_global_check dispatches takes the oldest, so that nothing starves.
  using overflow = batch_queue<1024>;

  g_list take_oldest_batch() noexcept {
    g_list out;
    overflow::batch& b = overflow_.oldest();
    while (b.begin != b.end) out.push_back(b.g[b.begin++]);
    overflow_.pop_oldest();
    overflowed_.store(overflowed_.load(std::memory_order_relaxed) - out.count, std::memory_order_relaxed);
    return out;
  }

  void move_half_to_batch() noexcept {
    overflow::batch& b = overflow_.push();
    std::uint32_t h = head_.load(std::memory_order_relaxed);
    while (b.end < overflow::k_batch) b.g[b.end++] = ring_[h++ % k_capacity];
    overflowed_.store(overflowed_.load(std::memory_order_relaxed) + b.end, std::memory_order_relaxed);
    head_.store(h, std::memory_order_release);
  }

  // REQUIRES: the ring is empty, a batch is there.
  void refill_from_batch() noexcept {
    overflow::batch& b = overflow_.newest();
    std::uint32_t t = tail_.load(std::memory_order_relaxed);
    const std::uint32_t n = b.end - b.begin;
    while (b.begin != b.end) ring_[t++ % k_capacity] = b.g[b.begin++];
    overflow_.pop_newest();
    tail_.store(t, std::memory_order_release);
    chaos_step();
    overflowed_.store(overflowed_.load(std::memory_order_relaxed) - n, std::memory_order_release);  // [RQ-2]
  }

  std::atomic<goroutine*> next_{nullptr};
  std::atomic<std::uint32_t> head_{0};
  std::atomic<std::uint32_t> tail_{0};
  std::atomic<std::uint32_t> overflowed_{0};  // goroutines in batches
  goroutine* ring_[k_capacity];
  overflow overflow_;
};

}  // namespace pirn::rt
