// Call frame information: how a function's caller and the registers it had are found from any instruction of it.
// Layer: os. Sources: DWARF 5, section 6.4; Linux Standard Base, "Exception Frames"; the psABIs of x86-64 and AArch64.
//
// Compilers write these tables for every function that an exception may pass, so they are there in native libraries
// too, where frame pointers mostly are not.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pirn::rt {

// Register numbers are DWARF's of the architecture.
#if defined(__x86_64__)
inline constexpr std::size_t k_unwind_registers = 17;  // the last one is the return address
inline constexpr std::size_t k_stack_pointer = 7;
inline constexpr std::size_t k_frame_pointer = 6;
#elif defined(__aarch64__)
inline constexpr std::size_t k_unwind_registers = 33;
inline constexpr std::size_t k_stack_pointer = 31;
inline constexpr std::size_t k_frame_pointer = 29;
#endif

// Where one register of the caller is.
struct register_rule {
  enum class kind : std::uint8_t { same, undefined, at_offset, is_offset, in_register, at_expression, is_expression };
  kind what = kind::same;
  std::int64_t offset = 0;                   // from the canonical frame address; or the other register
  const std::uint8_t* expression = nullptr;  // begins with its length
};

// What holds at one instruction.
struct frame_rules {
  std::uintptr_t function = 0;  // where the function, or this part of it, begins
  bool signal_frame = false;  // the frame the kernel made for a signal handler: the caller was interrupted, not calling
  bool signed_return = false;  // AArch64: the return address carries an authentication code
  std::size_t return_register = 0;
  std::size_t cfa_register = 0;
  std::int64_t cfa_offset = 0;
  const std::uint8_t* cfa_expression = nullptr;  // instead of register and offset
  register_rule registers[k_unwind_registers];
};

// The rules at `pc`; that of a caller lies behind its call, so for one `pc` is the return address less one. False when
// no table describes it. Takes no lock with glibc 2.35 and newer.
bool find_frame_rules(std::uintptr_t pc, frame_rules& out) noexcept;

// The length-prefixed things in the tables. Advance `at`.
std::uint64_t read_uleb(const std::uint8_t*& at) noexcept;
std::int64_t read_sleb(const std::uint8_t*& at) noexcept;

}  // namespace pirn::rt
