// Walking a stack from any set of registers: a parked goroutine's, those of a signal, or the caller's own. Layer: os.
// Why not the unwinder of the C++ runtime: docs/internals/reports.md.
//
// The stack may be a copy, made while its owner could not run or by the owner itself. Nothing is allocated, no lock is
// taken, and no address is read that could fault.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <cstdint>

#include "os/base.h"
#include "os/call_frame_info.h"
#include "os/context.h"

namespace pirn::rt {

// The registers of one frame. Bit i of `known` says whether the value of register i is.
struct unwind_registers {
  std::uintptr_t value[k_unwind_registers] = {};
  std::uint64_t known = 0;
  std::uintptr_t pc = 0;

  void set(std::size_t reg, std::uintptr_t v) noexcept {
    value[reg] = v;
    known |= std::uint64_t{1} << reg;
  }
  bool has(std::size_t reg) const noexcept { return (known >> reg & 1) != 0; }
  std::uintptr_t sp() const noexcept { return value[k_stack_pointer]; }
};

// Where a parked goroutine goes on.
unwind_registers registers_of(const machine_context& c) noexcept;
// Where a signal arrived.
unwind_registers registers_of(const ucontext_t& c) noexcept;
// Those of the function that calls this, behind the call.
PIRN_NOINLINE unwind_registers registers_here() noexcept;

// The memory [low, high) of a stack, which may lie elsewhere as a copy. Outside of it the process's own memory is read
// by a system call that fails where a plain read would fault, if that is allowed.
struct stack_view {
  std::uintptr_t low = 0;
  std::uintptr_t high = 0;
  const char* data = nullptr;  // what the address `low` holds
  bool elsewhere_too = false;

  static stack_view in_place(const void* low, const void* high) noexcept {
    return {reinterpret_cast<std::uintptr_t>(low), reinterpret_cast<std::uintptr_t>(high),
            static_cast<const char*>(low), false};
  }
  static stack_view anywhere() noexcept { return {0, 0, nullptr, true}; }
  bool read(std::uintptr_t address, std::uintptr_t& out) const noexcept;
};

// Copies whole words of a stack that nobody runs on.
void copy_stack(char* to, const char* from, std::size_t bytes) noexcept;

struct stack_frame {
  std::uintptr_t pc = 0;
  std::uintptr_t sp = 0;
  std::uintptr_t cfa = 0;       // the stack pointer of the caller; 0 when it could not be found
  std::uintptr_t function = 0;  // where the function begins; 0 when no table describes it
  // A caller's pc lies behind its call, perhaps in another function: looked up one byte before.
  bool interrupted = false;
  bool signal_frame = false;  // what the kernel made for a handler; the next one was interrupted

  std::uintptr_t lookup_pc() const noexcept { return interrupted ? pc : pc - 1; }
};

// Goes from frame to frame, innermost first.
class stack_walk {
 public:
  // `interrupted`: the registers are those of an instruction that has not been executed yet, rather than of a call.
  stack_walk(const unwind_registers& from, const stack_view& view, bool interrupted) noexcept
      : r_(from), view_(view), interrupted_(interrupted) {}

  // False behind the last frame.
  bool next(stack_frame& out) noexcept;
  // Of the frame that next() would give.
  const unwind_registers& registers() const noexcept { return r_; }

 private:
  bool step(const frame_rules& rules, std::uintptr_t& cfa) noexcept;
  bool find_frame_pointer() noexcept;
  bool step_by_frame_pointer(std::uintptr_t& cfa) noexcept;
  bool evaluate(const std::uint8_t* expression, std::uintptr_t pushed, bool push, std::uintptr_t& out) const noexcept;
  const frame_rules* rules_at(std::uintptr_t pc) noexcept;

  unwind_registers r_;
  stack_view view_;
  bool interrupted_;
  bool ended_ = false;
  std::uintptr_t last_cfa_ = 0;
  // A recursion passes the same places again and again.
  static constexpr std::size_t k_cached = 2;
  struct cached {
    std::uintptr_t pc = 0;
    frame_rules rules;
  };
  cached cache_[k_cached];
  std::size_t next_cached_ = 0;
};

}  // namespace pirn::rt
