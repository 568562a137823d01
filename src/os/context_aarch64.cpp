// The first instructions of every goroutine, 64-bit Arm. Layer: os. Contract: os/context.h.
#include "os/context.h"

// The return address is declared undefined, which is how DWARF marks the outermost frame; the zero frame pointer tells
// walkers by frame pointer the same.
#ifdef __aarch64__
asm(R"(
    .text
    .globl pirn_goroutine_entry
    .hidden pirn_goroutine_entry
    .type pirn_goroutine_entry, %function
    .p2align 4
pirn_goroutine_entry:
    .cfi_startproc
    .cfi_undefined x30
    hint #36
    mov x29, xzr
    bl pirn_goroutine_main
    brk #1000
    .cfi_endproc
    .size pirn_goroutine_entry, .-pirn_goroutine_entry
)");
#endif
