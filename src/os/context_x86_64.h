// The context switch on x86-64 (System V ABI). Layer: os. Contract: os/context.h, which alone includes this.
//
// The floating-point control words (mxcsr, x87) are callee-saved in the ABI: stored at each switch, loaded only when
// the other side's differ. The instruction that a switch lands on is an endbr64, for CPUs that check indirect jumps.
#pragma once

#include <cstdint>

#include "os/base.h"

namespace pirn::rt {

struct fp_control {
  std::uint32_t mxcsr = 0x1f80;  // the ABI's initial value
  std::uint16_t x87 = 0x037f;
  std::uint16_t unused = 0;
};

struct machine_context {
  void* sp = nullptr;
  void* bp = nullptr;
  void* pc = nullptr;
};

PIRN_ALWAYS_INLINE void switch_fp_control(fp_control& from, const fp_control& to) noexcept {
  asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(from.mxcsr), "=m"(from.x87));
  if (PIRN_UNLIKELY(from.mxcsr != to.mxcsr)) asm volatile("ldmxcsr %0" ::"m"(to.mxcsr));
  if (PIRN_UNLIKELY(from.x87 != to.x87)) asm volatile("fldcw %0" ::"m"(to.x87));
}

#ifdef __AVX512F__
#define PIRN_EXTRA_CLOBBERS                                                                                     \
  , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", \
      "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define PIRN_EXTRA_CLOBBERS
#endif

PIRN_ALWAYS_INLINE void switch_context(machine_context* from, machine_context* to) noexcept {
  asm volatile(
      "leaq 1f(%%rip), %%rax\n\t"
      "movq %%rsp, 0(%%rdi)\n\t"
      "movq %%rbp, 8(%%rdi)\n\t"
      "movq %%rax, 16(%%rdi)\n\t"
      "movq 0(%%rsi), %%rsp\n\t"
      "movq 8(%%rsi), %%rbp\n\t"
      "jmpq *16(%%rsi)\n"
      "1:\tendbr64"
      : "+D"(from), "+S"(to)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2",
        "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
        "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "memory", "cc" PIRN_EXTRA_CLOBBERS);
}

[[noreturn]] PIRN_ALWAYS_INLINE void jump_context(machine_context* to) noexcept {
  asm volatile(
      "movq 0(%0), %%rsp\n\t"
      "movq 8(%0), %%rbp\n\t"
      "jmpq *16(%0)"
      :
      : "S"(to)
      : "memory");
  __builtin_unreachable();
}

}  // namespace pirn::rt
