// Reservations and guards behind os/stack_memory.h. Layer: os.
#include "os/stack_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "os/base.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

namespace pirn::rt {

namespace {

std::atomic<std::uint64_t> unguarded{0};
std::atomic<guard_form> best_form{
#ifdef PIRN_ASAN
    // The leak checker reads whole mappings; a guard inside a readable one would stop it.
    guard_form::mprotect
#else
    guard_form::madvise
#endif
};

// Advice is free to be ignored, and emulators do ignore what they do not know. A page that can be read is no guard.
bool is_guarded(char* page) noexcept {
  static std::atomic<bool> seen_once{false};
  if (seen_once.load(std::memory_order_relaxed)) return true;
  if (madvise(page, 1, MADV_POPULATE_READ) == 0) {
    errno = EINVAL;
    return false;
  }
  seen_once.store(true, std::memory_order_relaxed);
  return true;
}

bool guard_by_madvise(char* base, std::size_t stride, std::size_t guard, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    if (madvise(base + i * stride, guard, MADV_GUARD_INSTALL) != 0 || !is_guarded(base)) return false;
  }
  return true;
}

}  // namespace

char* reserve_stack_memory(std::size_t bytes) noexcept {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  const int saved = errno;
  madvise(p, bytes, MADV_NOHUGEPAGE);  // fails on kernels built without huge pages, where there is nothing to refuse
  errno = saved;
  return static_cast<char*>(p);
}

void release_stack_memory(char* base, std::size_t bytes) noexcept { munmap(base, bytes); }

std::size_t guard_stacks(char* base, std::size_t stride, std::size_t count) noexcept {
  const int saved = errno;
  const std::size_t guard = guard_size(stride);
  std::size_t guarded = 0;
  // Pages of 16 or 64 KiB (Arm): the kernel would round a smaller guard up, into the stack.
  if (guard % static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) != 0) {
    unguarded.fetch_add(count, std::memory_order_relaxed);
    return 0;
  }
  if (best_form.load(std::memory_order_relaxed) == guard_form::madvise) {
    if (guard_by_madvise(base, stride, guard, count)) {
      errno = saved;
      return count;
    }
    // EINVAL: this kernel has none, and will not grow one.
    if (errno == EINVAL) best_form.store(guard_form::mprotect, std::memory_order_relaxed);
  }
  if (best_form.load(std::memory_order_relaxed) != guard_form::none) {
    while (guarded < count && mprotect(base + guarded * stride, guard, PROT_NONE) == 0) ++guarded;
  }
  unguarded.fetch_add(count - guarded, std::memory_order_relaxed);
  errno = saved;
  return guarded;
}

std::uint64_t unguarded_stacks() noexcept { return unguarded.load(std::memory_order_relaxed); }

void limit_guard_form_for_test(guard_form best) noexcept { best_form.store(best, std::memory_order_relaxed); }

}  // namespace pirn::rt
