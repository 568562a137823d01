// Words every layer uses: branch hints, the cache line, sanitizer switches, the pause of a spin loop.
// Layer: os.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_THREAD__) && !defined(PIRN_TSAN)
#define PIRN_TSAN 1
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(PIRN_ASAN)
#define PIRN_ASAN 1
#endif
#if defined(__has_feature)
#if __has_feature(thread_sanitizer) && !defined(PIRN_TSAN)
#define PIRN_TSAN 1
#endif
#if __has_feature(address_sanitizer) && !defined(PIRN_ASAN)
#define PIRN_ASAN 1
#endif
#endif
#if defined(PIRN_TSAN) || defined(PIRN_ASAN)
#define PIRN_SANITIZED 1
#endif

#define PIRN_LIKELY(x) __builtin_expect(!!(x), 1)
#define PIRN_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PIRN_NOINLINE [[gnu::noinline]]
#define PIRN_COLD [[gnu::noinline, gnu::cold]]
#define PIRN_ALWAYS_INLINE [[gnu::always_inline]] inline

namespace pirn::rt {

inline constexpr std::size_t k_cache_line = 64;
inline constexpr std::size_t k_page = 4096;

// Tells the core that this is a spin loop. About 11 ns on current server parts. On Arm `yield` is a no-op on most
// cores, so the wait is an instruction barrier, which takes about as long.
PIRN_ALWAYS_INLINE void cpu_pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

// Keeps the compiler from moving memory accesses across it; costs no instruction.
PIRN_ALWAYS_INLINE void compiler_barrier() noexcept { asm volatile("" ::: "memory"); }

}  // namespace pirn::rt
