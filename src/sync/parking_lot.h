// Queues of waiters keyed by address, so that a lock needs no room for one of its own. Layer: sync.
// Idea: WebKit's parking lot (Pizlo 2015). FIFO per address; a fixed table of buckets, each with its spinlock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sync/wait.h"

namespace pirn::rt {

struct parked_node : waiter {
  using waiter::waiter;
  parked_node* next = nullptr;
  parked_node* prev = nullptr;
  const void* key = nullptr;
  bool queued = false;
  bool handed_over = false;  // mutex: the lock was given to this waiter
  bool starving = false;     // mutex: it has waited long
};

struct alignas(k_cache_line) parking_bucket {
  spinlock mu;
  // Guarded by mu.
  parked_node* first = nullptr;
  parked_node* last = nullptr;

  void push_back(parked_node& n) noexcept {
    n.prev = last;
    n.next = nullptr;
    (last != nullptr ? last->next : first) = &n;
    last = &n;
    n.queued = true;
  }
  void push_front(parked_node& n) noexcept {
    n.next = first;
    n.prev = nullptr;
    (first != nullptr ? first->prev : last) = &n;
    first = &n;
    n.queued = true;
  }
  void remove(parked_node& n) noexcept {
    (n.prev != nullptr ? n.prev->next : first) = n.next;
    (n.next != nullptr ? n.next->prev : last) = n.prev;
    n.queued = false;
  }
  parked_node* find(const void* key) noexcept {
    parked_node* n = first;
    while (n != nullptr && n->key != key) n = n->next;
    return n;
  }
  // Whether another waiter for the key of n follows it.
  static bool more_after(const parked_node& n) noexcept {
    for (const parked_node* m = n.next; m != nullptr; m = m->next) {
      if (m->key == n.key) return true;
    }
    return false;
  }
};

parking_bucket& bucket_for(const void* key) noexcept;

// Takes every waiter for `key` out, oldest first, linked by `next`. REQUIRES: b.mu.
parked_node* take_all(parking_bucket& b, const void* key) noexcept;
// Resumes such a list.
void resume_all(parked_node* list) noexcept;

// For park_kind::unlink of whatever parks here; the object is the node.
bool unlink_parked(goroutine* g, void* node) noexcept;

}  // namespace pirn::rt
