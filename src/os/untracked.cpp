// Mappings made behind ThreadSanitizer's back. Layer: os. Why: os/untracked.h.
#include "os/untracked.h"

#ifdef PIRN_TSAN

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pirn::rt {

void* untracked::operator new(std::size_t bytes) {
  const long p = syscall(SYS_mmap, nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == -1) throw std::bad_alloc();
  return reinterpret_cast<void*>(p);
}

void untracked::operator delete(void* p, std::size_t bytes) noexcept { syscall(SYS_munmap, p, bytes); }

}  // namespace pirn::rt

#endif
