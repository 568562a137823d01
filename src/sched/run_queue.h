// The run queue of one P: a slot for what was made ready last, and a ring. Layer: sched. Essay: docs/internals/scheduler.md.
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

class run_queue {
 public:
  static constexpr std::uint32_t k_capacity = 256;

  std::uint32_t ring_size() const noexcept {
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed);
  }
  bool has_next() const noexcept { return next_.load(std::memory_order_relaxed) != nullptr; }
  bool empty() const noexcept { return !has_next() && ring_size() == 0; }

  // False when the ring is full.
  bool push_tail(goroutine* g) noexcept {
    const std::uint32_t t = tail_.load(std::memory_order_relaxed);
    if (PIRN_UNLIKELY(t - head_.load(std::memory_order_relaxed) == k_capacity)) return false;
    ring_[t % k_capacity] = g;
    // [RQ-1] release: who looks at the count from outside and then becomes the owner sees the slot.
    tail_.store(t + 1, std::memory_order_release);
    return true;
  }

  goroutine* pop_head() noexcept {
    const std::uint32_t h = head_.load(std::memory_order_relaxed);
    if (h == tail_.load(std::memory_order_relaxed)) return nullptr;
    goroutine* g = ring_[h % k_capacity];
    head_.store(h + 1, std::memory_order_release);
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

  // Takes the older half of the ring, rounded up.
  g_list take_half() noexcept {
    g_list out;
    for (std::uint32_t n = (ring_size() + 1) / 2; n > 0; --n) out.push_back(pop_head());
    return out;
  }

 private:
  std::atomic<goroutine*> next_{nullptr};
  std::atomic<std::uint32_t> head_{0};
  std::atomic<std::uint32_t> tail_{0};
  goroutine* ring_[k_capacity];
};

}  // namespace pirn::rt
