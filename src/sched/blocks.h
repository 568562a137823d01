// Small objects that come and go as fast as goroutines: the P on which one is freed keeps it for the next of its kind.
// Layer: sched. Any thread; also outside a run. REQUIRE: outside the runtime, where malloc may be called.
#pragma once

#include <cstddef>
#include <new>

#include "sched/entry.h"

namespace pirn::rt {

// Throws std::bad_alloc. `bytes` is one number for each kind.
PIRN_ALWAYS_INLINE void* new_block([[maybe_unused]] block_kind kind, std::size_t bytes) {
#ifndef PIRN_SANITIZED  // they are to see each one come and go
  if (worker* w = try_enter_fast(); PIRN_LIKELY(w != nullptr)) {
    void* block = w->p->free_blocks[static_cast<std::size_t>(kind)].try_pop();
    leave(w);
    if (PIRN_LIKELY(block != nullptr)) return block;
  }
#endif
  return ::operator new(bytes);
}

PIRN_ALWAYS_INLINE void delete_block([[maybe_unused]] block_kind kind, void* block) noexcept {
#ifndef PIRN_SANITIZED
  if (worker* w = try_enter_fast(); PIRN_LIKELY(w != nullptr)) {
    const bool kept = w->p->free_blocks[static_cast<std::size_t>(kind)].try_push(block);
    leave(w);
    if (PIRN_LIKELY(kept)) return;
  }
#endif
  ::operator delete(block);
}

}  // namespace pirn::rt
