// Contract of the context switch: what it saves, who may call it. Layer: os. One header per architecture implements it:
// context_x86_64.h, context_aarch64.h; the first instructions of a goroutine stand in the .cpp beside it.
//
//   struct context        {sp, frame pointer, pc}: where a stack that nobody runs on goes on. A new one is
//                         {top of the stack, null, &pirn_goroutine_entry}.
//   struct fp_control     the floating-point control registers; its default is what a process starts with.
//   switch_fp_control(from, to)   keeps those of the running code in `from` and makes those of `to` hold.
//   switch_context(from, to)      leaves the running code in `from` and goes on with `to`; returns when somebody
//                         switches to `from` again, possibly on another thread: nothing read from thread-local storage
//                         before it may be used after it.
//   jump_context(to)      goes on with `to` and never comes back.
//
// Every register but sp and the frame pointer is declared clobbered at the switch, so the compiler spills just what is
// live there. The switch ends in an indirect jump, not in a return: the return predictor knows nothing of the other
// stack, the indirect predictor learns each site.
#pragma once

// Where a goroutine that never ran starts: zeroes the frame pointer, ends the unwinder's walk, calls
// pirn_goroutine_main on the (16-byte aligned) stack it is given.
extern "C" void pirn_goroutine_entry() noexcept;

#if defined(__x86_64__)
#include "os/context_x86_64.h"
#elif defined(__aarch64__)
#include "os/context_aarch64.h"
#else
#error "pirn: not ported to this architecture; see docs/internals/porting.md"
#endif
