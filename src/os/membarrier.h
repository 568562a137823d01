// The heavy side of an asymmetric barrier. Layer: os. Source: membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED.
//
// A pair of Dekker-style accesses needs a full fence on both sides. Where one side runs for every operation and the
// other one rarely, the rare side makes every running thread of the process execute the fence, and the frequent side
// needs only light_barrier(). Where the kernel has no membarrier, the frequent side pays for a real fence.
#pragma once

#include <atomic>

#include "os/chaos.h"

namespace pirn::rt {

// Constant after init_membarrier().
extern bool have_membarrier;

void init_membarrier() noexcept;
// Test hook: makes light_barrier() a real fence as on a kernel without the call. Only while no runtime runs.
void disable_membarrier_for_test(bool off) noexcept;

void heavy_barrier() noexcept;

PIRN_ALWAYS_INLINE void light_barrier() noexcept {
  chaos_step();
  if (PIRN_LIKELY(have_membarrier)) {
    compiler_barrier();
  } else {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
}

}  // namespace pirn::rt
