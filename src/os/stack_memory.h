// Address space for goroutine stacks: reservations, guards, giving pages back. Layer: os.
// Sources: mmap(2), madvise(2) MADV_GUARD_INSTALL (Linux 6.13), process_madvise(2).
//
// Memory is reserved, not committed: pages arrive by touch. Arenas ask for no huge pages, else one idle goroutine could
// cost 2 MiB. A guard lies at the low end of every stack, in the best form that can be had:
//   1. MADV_GUARD_INSTALL: no mapping of its own, many guards by one call;
//   2. mprotect, two mappings per stack, while vm.max_map_count allows;
//   3. none: counted in unguarded_stacks(). The layer above watches a canary in its place (g/stack.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace pirn::rt {

// Address space one guard takes; the low end of a stack, less for tiny stacks (guard_size).
inline constexpr std::size_t k_guard_bytes = 64 * 1024;

// A guard for a stack of `stack_bytes` in all: 64 KiB, or a quarter of a stack under 256 KiB.
constexpr std::size_t guard_size(std::size_t stack_bytes) noexcept {
  return stack_bytes / 4 < k_guard_bytes ? stack_bytes / 4 : k_guard_bytes;
}

// Reserves `bytes` (a multiple of the page size); null with errno set when there is none to be had.
char* reserve_stack_memory(std::size_t bytes) noexcept;
void release_stack_memory(char* base, std::size_t bytes) noexcept;

// Installs guards at the low ends of `count` stacks of `stride` bytes from `base`. Returns how many are guarded.
std::size_t guard_stacks(char* base, std::size_t stride, std::size_t count) noexcept;

// Stacks that were carved without a guard, since the process began.
std::uint64_t unguarded_stacks() noexcept;

// Test hooks: pretend the kernel lacks a form of guard.
enum class guard_form { madvise, mprotect, none };
void limit_guard_form_for_test(guard_form best) noexcept;

}  // namespace pirn::rt
