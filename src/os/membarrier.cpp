// membarrier(2) registration and call. Layer: os.
#include "os/membarrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "os/spinlock.h"

namespace pirn::rt {

bool have_membarrier = false;
std::atomic<bool> one_inside{false};

namespace {
bool disabled_for_test = false;
}

void init_membarrier() noexcept {
  if (disabled_for_test) {
    have_membarrier = false;
    return;
  }
  // Registration is per process and idempotent.
  have_membarrier = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void disable_membarrier_for_test(bool off) noexcept { disabled_for_test = off; }

void heavy_barrier() noexcept {
  chaos_step();
  if (have_membarrier) {
    const int saved = errno;
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    errno = saved;
  } else {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
}

}  // namespace pirn::rt
