// The first instructions of every goroutine, 64-bit Arm. Layer: os. Contract: os/context.h.
#include "os/context.h"

// The return address is declared undefined, which is how DWARF marks the outermost frame; the zero frame pointer tells
// walkers by frame pointer the same. The personality routine is asked by a thrown exception's search for a handler when
// no frame of the goroutine has one (sched/panic.cpp).
#ifdef __aarch64__
asm(R"(
    .text
    .globl pirn_goroutine_entry
    .hidden pirn_goroutine_personality
    .hidden pirn_goroutine_entry
    .type pirn_goroutine_entry, %function
    .p2align 4
pirn_goroutine_entry:
    .cfi_startproc
    .cfi_personality 0x1b, pirn_goroutine_personality
    .cfi_undefined x30
    hint #36
    mov x29, xzr
    bl pirn_goroutine_main
    brk #1000
    .cfi_endproc
    .size pirn_goroutine_entry, .-pirn_goroutine_entry
)");
#endif
