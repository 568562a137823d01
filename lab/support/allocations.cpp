// The lab's replacement of the global operator new and delete. Layer: lab/support. See allocations.h.
#include "support/allocations.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace lab {
namespace {

// Relaxed: the counts of different threads need no order, and whoever reads the total has joined those it asks about.
std::atomic<bool> counting{false};
std::atomic<long> count{0};

void* allocated(std::size_t bytes, std::size_t alignment) {
  if (counting.load(std::memory_order_relaxed)) count.fetch_add(1, std::memory_order_relaxed);
  if (bytes == 0) bytes = 1;
  void* memory = nullptr;
  if (alignment <= alignof(std::max_align_t)) {
    memory = std::malloc(bytes);
  } else {
    memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

allocation_count::allocation_count() {
  count.store(0, std::memory_order_relaxed);
  counting.store(true, std::memory_order_relaxed);
}
allocation_count::~allocation_count() { counting.store(false, std::memory_order_relaxed); }
long allocation_count::so_far() const { return count.load(std::memory_order_relaxed); }

}  // namespace lab

// The other forms of new and delete call these.
void* operator new(std::size_t bytes) { return lab::allocated(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return lab::allocated(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
