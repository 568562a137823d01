// The context switch on 64-bit Arm (AAPCS64). Layer: os. Contract: os/context.h, which alone includes this.
//
// AAPCS64 asks a callee to keep x19 to x29, sp and the low halves of v8 to v15; the compiler does that for all but sp
// and x29 when they are clobbered. x18 is written by nobody here: it belongs to the platform where that reserves it,
// and where it does not the clobber keeps the compiler from trusting it. fpcr belongs to the goroutine; fpsr, which no
// ABI keeps over a call, does not. The jump goes through x16 and lands on a `bti j` (hint 36, a no-op on CPUs without
// branch target identification).
#pragma once

#include <cstdint>

#include "os/base.h"

namespace pirn::rt {

struct fp_control {
  std::uint64_t fpcr = 0;  // round to nearest, no traps: what a process starts with
};

struct machine_context {
  void* sp = nullptr;
  void* fp = nullptr;
  void* pc = nullptr;
};

PIRN_ALWAYS_INLINE void switch_fp_control(fp_control& from, const fp_control& to) noexcept {
  asm volatile("mrs %0, fpcr" : "=r"(from.fpcr));
  if (PIRN_UNLIKELY(from.fpcr != to.fpcr)) asm volatile("msr fpcr, %0" ::"r"(to.fpcr));
}

#ifdef __ARM_FEATURE_SVE
#define PIRN_EXTRA_CLOBBERS \
  , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", "p15", "ffr"
#else
#define PIRN_EXTRA_CLOBBERS
#endif

PIRN_ALWAYS_INLINE void switch_context(machine_context* from, machine_context* to) noexcept {
  register machine_context* leave asm("x0") = from;
  register machine_context* enter asm("x1") = to;
  asm volatile(
      "adr x9, 1f\n\t"
      "mov x10, sp\n\t"
      "stp x10, x29, [x0]\n\t"
      "str x9, [x0, #16]\n\t"
      "ldp x10, x29, [x1]\n\t"
      "ldr x16, [x1, #16]\n\t"
      "mov sp, x10\n\t"
      "br x16\n"
      "1:\thint #36"
      : "+r"(leave), "+r"(enter)
      :
      : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18",
        "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5",
        "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21",
        "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "memory", "cc" PIRN_EXTRA_CLOBBERS);
}

[[noreturn]] PIRN_ALWAYS_INLINE void jump_context(machine_context* to) noexcept {
  register machine_context* enter asm("x1") = to;
  asm volatile(
      "ldp x10, x29, [x1]\n\t"
      "ldr x16, [x1, #16]\n\t"
      "mov sp, x10\n\t"
      "br x16"
      :
      : "r"(enter)
      : "x10", "x16", "memory");
  __builtin_unreachable();
}

}  // namespace pirn::rt
