// Carving stacks out of arenas, and the depot of free ones. Layer: g. Essay: g/stack.h.
#include "g/stack.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <mutex>
#include <new>
#include <span>

#include "os/fatal.h"
#include "os/stack_memory.h"

namespace pirn::rt {

namespace {

// Arenas of 64 MiB and more keep the number of mappings low; the kernel joins neighbours.
constexpr std::size_t k_arena_bytes = 64 << 20;
constexpr std::size_t k_carve_batch = stack_magazine::k_batch;
constexpr std::uint32_t k_colours = 16;
constexpr std::size_t k_colour_step = 64;

stack* place_header(char* base, std::size_t bytes, std::uint8_t size_class, std::uint32_t colour,
                    bool guarded) noexcept {
  char* at = base + bytes - sizeof(stack) - colour * k_colour_step;
  auto* s = new (at) stack;
  s->base = base;
  s->bytes = bytes;
  s->size_class = size_class;
  s->unguarded = !guarded;
  return s;
}

}  // namespace

char* stack::usable_low() const noexcept { return base + guard_size(bytes); }

bool has_overflowed(const stack& s, const void* sp) noexcept {
  const char* low = s.usable_low();
  if (static_cast<const char*>(sp) < low) return true;
#ifdef PIRN_ASAN
  return false;  // its red zones are finer, and what abandoned frames poisoned may not be read
#else
  std::uint64_t words[k_canary_bytes / sizeof(std::uint64_t)];
  std::memcpy(words, low - k_canary_bytes, k_canary_bytes);
  std::uint64_t written = 0;
  for (const std::uint64_t w : words) written |= w;
  return written != 0;
#endif
}

std::uint8_t stack_class_for(std::size_t bytes) noexcept {
  if (bytes == 0) return k_default_stack_class;
  // What is asked for is what the goroutine can use: the guard, the header and the colour come on top.
  constexpr std::size_t k_overhead = sizeof(stack) + k_colours * k_colour_step;
  for (std::uint8_t c = 0; c < k_stack_classes; ++c) {
    const std::size_t whole = k_stack_class_bytes[c];
    if (bytes <= whole - guard_size(whole) - k_overhead) return c;
  }
  return k_own_mapping;
}

stack_depot::~stack_depot() {
  while (arenas_ != nullptr) {
    arena_page* page = arenas_;
    for (const arena& a : std::span(page->all, page->used)) {
#ifdef PIRN_ASAN
      __lsan_unregister_root_region(a.base, a.bytes);
      __asan_unpoison_memory_region(a.base, a.bytes);
#endif
      release_stack_memory(a.base, a.bytes);
    }
    arenas_ = page->next;
    munmap(page, sizeof *page);
  }
}

bool stack_depot::remember_arena(char* base, std::size_t bytes) noexcept {
  const std::lock_guard hold(arenas_mu_);
  if (arenas_ == nullptr || arenas_->used == std::size(arenas_->all)) {
    void* p = mmap(nullptr, sizeof(arena_page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return false;
    auto* page = static_cast<arena_page*>(p);
    page->next = arenas_;
    arenas_ = page;
  }
  arenas_->all[arenas_->used++] = {base, bytes};
  return true;
}

// REQUIRES: the class's carving lock.
bool stack_depot::new_arena(std::uint8_t size_class) noexcept {
  per_class& pc = classes_[size_class];
  const std::size_t stride = k_stack_class_bytes[size_class];
  // Where a large arena is refused (an address space limit), a batch or a single stack may still fit.
  std::size_t bytes = stride * k_carve_batch > k_arena_bytes ? stride * k_carve_batch : k_arena_bytes;
  char* base = nullptr;
  for (; base == nullptr && bytes >= stride; bytes = bytes / stride / 4 * stride) {
    base = reserve_stack_memory(bytes);
    if (base != nullptr) break;
  }
  if (base == nullptr) return false;
  if (!remember_arena(base, bytes)) {
    release_stack_memory(base, bytes);
    errno = ENOMEM;
    return false;
  }
#ifdef PIRN_ASAN
  __lsan_register_root_region(base, bytes);  // what parked goroutines own is not leaked
#endif
  pc.fresh = base;
  pc.fresh_left = bytes / stride;
  return true;
}

stack* stack_depot::carve(std::uint8_t size_class, std::size_t want, std::size_t& got) noexcept {
  per_class& pc = classes_[size_class];
  const std::size_t stride = k_stack_class_bytes[size_class];
  pc.carving.lock();
  if (pc.fresh_left == 0 && !new_arena(size_class)) {
    pc.carving.unlock();
    return nullptr;
  }
  const std::size_t n = want < pc.fresh_left ? want : pc.fresh_left;
  char* base = pc.fresh;
  pc.fresh += n * stride;
  pc.fresh_left -= n;
  const std::uint32_t colour = pc.next_colour;
  pc.next_colour += static_cast<std::uint32_t>(n);
  pc.carving.unlock();

  const std::size_t guarded = guard_stacks(base, stride, n);
  stack* list = nullptr;
  for (std::size_t i = n; i-- > 0;) {
    stack* s = place_header(base + i * stride, stride, size_class, (colour + static_cast<std::uint32_t>(i)) % k_colours,
                            i < guarded);
    s->next = list;
    list = s;
  }
  got = n;
  return list;
}

bool stack_depot::refill(std::uint8_t size_class, stack_magazine& m) noexcept {
  if (stack* batch = classes_[size_class].depot.take()) {
    m.fill(batch, stack_magazine::k_batch);
    return true;
  }
  std::size_t got = 0;
  stack* list = carve(size_class, k_carve_batch, got);
  if (list == nullptr) return false;
  m.fill(list, static_cast<std::uint32_t>(got));
  return true;
}

stack* stack_depot::map_own(std::size_t bytes) noexcept {
  if (bytes > (std::size_t{1} << 46)) {
    errno = ENOMEM;
    return nullptr;
  }
  const std::size_t size = (bytes + k_guard_bytes + sizeof(stack) + k_page - 1) / k_page * k_page;
  char* base = reserve_stack_memory(size);
  if (base == nullptr) return nullptr;
  const bool guarded = guard_stacks(base, size, 1) == 1;
  return place_header(base, size, k_own_mapping, 0, guarded);
}

void stack_depot::unmap_own(stack* s) noexcept {
#ifdef PIRN_TSAN
  if (s->fiber != nullptr) __tsan_destroy_fiber(s->fiber);
#endif
#ifdef PIRN_ASAN
  unpoison(s);
#endif
  release_stack_memory(s->base, s->bytes);
}

#ifdef PIRN_ASAN
void unpoison(stack* s) noexcept {
  __asan_unpoison_memory_region(s->usable_low(), static_cast<std::size_t>(s->top() - s->usable_low()));
}
#endif

}  // namespace pirn::rt
