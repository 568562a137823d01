// The table of buckets, and what waits in it without a lock of its own: one_shot. Layer: sync.
#include "sync/parking_lot.h"

#include <mutex>

#include "pirn/detail/one_shot.h"

namespace pirn::rt {

namespace {
constexpr std::size_t k_buckets = 256;
parking_bucket buckets[k_buckets];
}  // namespace

parking_bucket& bucket_for(const void* key) noexcept {
  // Fibonacci hashing: the low bits of addresses are alike.
  const auto h = reinterpret_cast<std::uintptr_t>(key) * 0x9E3779B97F4A7C15ULL;
  return buckets[h >> 56];
}

parked_node* take_all(parking_bucket& b, const void* key) noexcept {
  parked_node* out = nullptr;
  parked_node** tail = &out;
  for (parked_node* n = b.first; n != nullptr;) {
    parked_node* next = n->next;
    if (n->key == key) {
      b.remove(*n);
      n->next = nullptr;
      *tail = n;
      tail = &n->next;
    }
    n = next;
  }
  return out;
}

void resume_all(parked_node* list) noexcept {
  while (list != nullptr) {
    parked_node* next = list->next;  // before the node goes
    resume(*list);
    list = next;
  }
}

bool unlink_parked(goroutine*, void* node) noexcept {
  auto& n = *static_cast<parked_node*>(node);
  parking_bucket& b = bucket_for(n.key);
  const std::lock_guard hold(b.mu);
  if (!n.queued) return false;
  b.remove(n);
  return true;
}

}  // namespace pirn::rt

namespace pirn::detail {

using namespace pirn::rt;  // NOLINT: this file implements detail over rt

namespace {
constexpr park_kind k_join{"join", unlink_parked};
const char k_set = 0;
}  // namespace

void one_shot::wait() {
  if (is_set()) return;
  const entry e;
  parking_bucket& b = bucket_for(this);
  b.mu.lock();
  if (is_set()) {
    b.mu.unlock();
    return;
  }
  parked_node n(e.current());
  n.key = this;
  b.push_back(n);
  suspend(n, k_join, &n, b.mu);
}

void one_shot::set() noexcept {
  const entry e;
  parking_bucket& b = bucket_for(this);
  b.mu.lock();
  state_.store(&k_set, std::memory_order_release);
  parked_node* list = take_all(b, this);
  b.mu.unlock();
  resume_all(list);
}

}  // namespace pirn::detail
