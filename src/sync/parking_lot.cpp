// The table of buckets. Layer: sync.
#include "sync/parking_lot.h"

#include <mutex>

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
