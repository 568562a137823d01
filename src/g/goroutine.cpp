// Slabs of goroutine objects. Layer: g. Essay: g/goroutine.h.
#include "g/goroutine.h"

#include <sys/mman.h>

#include <new>

namespace pirn::rt {

namespace {
constexpr std::size_t k_slab_bytes = 1 << 20;
}

goroutine_pool::~goroutine_pool() {
  while (slabs_ != nullptr) {
    slab* s = slabs_;
    slabs_ = s->next;
    munmap(s, k_slab_bytes);
  }
}

bool goroutine_pool::refill(goroutine_magazine& m) noexcept {
  if (goroutine* batch = depot_.take()) {
    m.fill(batch, goroutine_magazine::k_batch);
    return true;
  }
  slabs_mu_.lock();
  if (slabs_ == nullptr || slabs_->used == slabs_->capacity) {
    void* p = mmap(nullptr, k_slab_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
      slabs_mu_.unlock();
      return false;
    }
    slabs_ = new (p) slab{slabs_, 0, (k_slab_bytes - k_cache_line) / sizeof(goroutine)};
  }
  std::uint32_t n = 0;
  goroutine* list = nullptr;
  while (n < goroutine_magazine::k_batch && slabs_->used < slabs_->capacity) {
    auto* g = new (slabs_->objects() + slabs_->used) goroutine;
    ++slabs_->used;
    g->next = list;
    list = g;
    ++n;
  }
  slabs_mu_.unlock();
  m.fill(list, n);
  return true;
}

}  // namespace pirn::rt
