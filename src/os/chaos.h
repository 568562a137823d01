// Chaos: delays and odd decisions at the steps of the protocols, to bring interleavings about that chance seldom does.
// Layer: os.
//
// Compiled in by PIRN_CHAOS (the presets asan and tsan), and even then off until PIRN_DEBUG has chaos=SEED. Each thread
// draws from a sequence of its own, made from the seed and its number in the order of first use; how the threads
// interleave is the kernel's affair, so a seed makes a failure likely again, not certain.
#pragma once

#include <cstdint>

#include "os/base.h"

namespace pirn::rt {

#ifdef PIRN_CHAOS
// Reads PIRN_DEBUG. To be called before the first thread starts.
void init_chaos() noexcept;
// Between two steps of a protocol: now and then the thread takes its time, or its core is given to another. Keeps
// errno. Async-signal-safe.
void chaos_step() noexcept;
// True once in `n` times, never when chaos is off: for decisions that may be taken either way.
bool chaos_chance(std::uint32_t n) noexcept;
#else
PIRN_ALWAYS_INLINE void init_chaos() noexcept {}
PIRN_ALWAYS_INLINE void chaos_step() noexcept {}
PIRN_ALWAYS_INLINE bool chaos_chance(std::uint32_t) noexcept { return false; }
#endif

}  // namespace pirn::rt
