// Free lists in two steps: a magazine per P, without atomics, and a depot of full batches behind it. Layer: g.
// Idea: Bonwick and Adams, "Magazines and Vmem", USENIX 2001.
//
// A magazine holds at most two batches, so an owner that allocates and frees in turn never reaches the depot, and what
// moves between processors moves N at a time. T has `T* next` and `T* next_batch`, both owned by the list it lies in,
// and a function ahead_of(T&) gives a pointer-sized place in its first line that is free while T is: it holds the
// address of the object some pops later, for prefetching, as what another processor freed is far away.
#pragma once

#include <cstddef>
#include <cstdint>

#include "os/base.h"
#include "os/futex.h"

namespace pirn::rt {

// Batches of free objects, linked through the first of each. Thread-safety: any thread.
template <class T>
class batch_depot {
 public:
  void put(T* batch) noexcept {
    mu_.lock();
    batch->next_batch = head_;
    head_ = batch;
    mu_.unlock();
  }
  T* take() noexcept {
    mu_.lock();
    T* batch = head_;
    if (batch != nullptr) head_ = batch->next_batch;
    mu_.unlock();
    return batch;
  }

 private:
  thread_mutex mu_;
  T* head_ = nullptr;  // Guarded by mu_.
};

// Owner only.
template <class T, std::uint32_t N>
class magazine {
 public:
  static constexpr std::uint32_t k_batch = N;

  T* try_pop() noexcept {
    if (PIRN_UNLIKELY(current_ == nullptr)) {
      if (spare_ == nullptr) return nullptr;
      current_ = spare_;
      count_ = N;
      spare_ = nullptr;
    }
    T* t = current_;
    current_ = t->next;
    const char* later = static_cast<const char*>(ahead_of(*t));
    for (std::size_t line = 0; line < sizeof(T); line += k_cache_line) __builtin_prefetch(later + line);
    --count_;
    return t;
  }

  // Returns a full batch for the depot when there is one too many, else null.
  T* push(T* t) noexcept {
    T* overflow = nullptr;
    if (PIRN_UNLIKELY(count_ == N)) {
      overflow = spare_;
      spare_ = current_;
      current_ = nullptr;
      count_ = 0;
    }
    ahead_of(*t) = count_ < k_ahead ? nullptr : recent_[count_ % k_ahead];
    recent_[count_ % k_ahead] = t;
    t->next = current_;
    current_ = t;
    ++count_;
    return overflow;
  }

  std::uint32_t size() const noexcept { return (current_ != nullptr ? count_ : 0) + (spare_ != nullptr ? N : 0); }

  // REQUIRES: try_pop() just returned null. `batch` is a list of `count` objects, count <= N.
  void fill(T* batch, std::uint32_t count) noexcept {
    current_ = batch;
    count_ = count;
  }

 private:
  static constexpr std::uint32_t k_ahead = 4;

  T* current_ = nullptr;
  std::uint32_t count_ = 0;
  T* recent_[k_ahead] = {};  // those pushed last, by their place; stale where others were popped since, then unused
  T* spare_ = nullptr;       // null, or exactly N objects
};

}  // namespace pirn::rt
