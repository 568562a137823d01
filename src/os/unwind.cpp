// One frame after the other. Layer: os. Contract: os/unwind.h.
#include "os/unwind.h"

#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

namespace pirn::rt {

namespace {
// Stacks hold what AddressSanitizer has poisoned.
__attribute__((no_sanitize("address"))) std::uintptr_t word_at(const char* at) noexcept {
  struct [[gnu::packed, gnu::may_alias]] word {
    std::uintptr_t value;
  };
  return reinterpret_cast<const volatile word*>(at)->value;
}
}  // namespace

void copy_stack(char* to, const char* from, std::size_t bytes) noexcept {
  for (std::size_t i = 0; i + sizeof(std::uintptr_t) <= bytes; i += sizeof(std::uintptr_t)) {
    const std::uintptr_t word = word_at(from + i);
    std::memcpy(to + i, &word, sizeof word);
  }
}

unwind_registers registers_of(const machine_context& c) noexcept {
  unwind_registers r;
  r.set(k_stack_pointer, reinterpret_cast<std::uintptr_t>(c.sp));
#if defined(__x86_64__)
  r.set(k_frame_pointer, reinterpret_cast<std::uintptr_t>(c.bp));
#elif defined(__aarch64__)
  r.set(k_frame_pointer, reinterpret_cast<std::uintptr_t>(c.fp));
#endif
  r.pc = reinterpret_cast<std::uintptr_t>(c.pc);
  return r;
}

unwind_registers registers_of(const ucontext_t& c) noexcept {
  unwind_registers r;
#if defined(__x86_64__)
  // By DWARF number: rax rdx rcx rbx rsi rdi rbp rsp r8 to r15.
  static constexpr int k_order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
                                    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (std::size_t i = 0; i < 16; ++i) r.set(i, static_cast<std::uintptr_t>(c.uc_mcontext.gregs[k_order[i]]));
  r.pc = static_cast<std::uintptr_t>(c.uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  for (std::size_t i = 0; i < 31; ++i) r.set(i, c.uc_mcontext.regs[i]);
  r.set(k_stack_pointer, c.uc_mcontext.sp);
  r.pc = c.uc_mcontext.pc;
#endif
  return r;
}

unwind_registers registers_here() noexcept {
  unwind_registers r;
#if defined(__x86_64__)
  std::uintptr_t pc = 0;
  std::uintptr_t kept[7];  // rbx rbp rsp r12 to r15
  asm volatile(
      "leaq 0(%%rip), %0\n\t"
      "movq %%rbx, 0(%1)\n\tmovq %%rbp, 8(%1)\n\tmovq %%rsp, 16(%1)\n\t"
      "movq %%r12, 24(%1)\n\tmovq %%r13, 32(%1)\n\tmovq %%r14, 40(%1)\n\tmovq %%r15, 48(%1)"
      : "=&r"(pc)
      : "r"(kept)
      : "memory");
  static constexpr std::size_t k_numbers[] = {3, 6, 7, 12, 13, 14, 15};
  for (std::size_t i = 0; i < 7; ++i) r.set(k_numbers[i], kept[i]);
#elif defined(__aarch64__)
  std::uintptr_t pc = 0;
  std::uintptr_t kept[13];  // x19 to x30, sp
  asm volatile(
      "adr %0, .\n\t"
      "stp x19, x20, [%1]\n\tstp x21, x22, [%1, #16]\n\tstp x23, x24, [%1, #32]\n\tstp x25, x26, [%1, #48]\n\t"
      "stp x27, x28, [%1, #64]\n\tstp x29, x30, [%1, #80]\n\tmov x9, sp\n\tstr x9, [%1, #96]"
      : "=&r"(pc)
      : "r"(kept)
      : "x9", "memory");
  for (std::size_t i = 0; i < 12; ++i) r.set(19 + i, kept[i]);
  r.set(k_stack_pointer, kept[12]);
#endif
  r.pc = pc;
  // Out of this function while its frame is still there.
  constexpr std::uintptr_t k_own_frame = 64 * 1024;
  const auto* low = reinterpret_cast<const char*>(r.sp());
  stack_walk walk(r, stack_view::in_place(low, low + k_own_frame), true);
  stack_frame own;
  walk.next(own);
  return walk.registers();
}

bool stack_view::read(std::uintptr_t address, std::uintptr_t& out) const noexcept {
  if (address >= low && address < high && high - address >= sizeof out) {
    out = word_at(data + (address - low));
    return true;
  }
  if (!elsewhere_too || address % sizeof out != 0) return false;
  const iovec to{&out, sizeof out};
  const iovec from{reinterpret_cast<void*>(address), sizeof out};
  return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == static_cast<ssize_t>(sizeof out);
}

bool stack_walk::evaluate(const std::uint8_t* expression, std::uintptr_t pushed, bool push,
                          std::uintptr_t& out) const noexcept {
  constexpr std::size_t k_depth = 16;
  std::uintptr_t stack[k_depth];
  std::size_t n = 0;
  if (push) stack[n++] = pushed;
  const std::uint8_t* at = expression;
  const std::uint64_t size = read_uleb(at);
  const std::uint8_t* const end = at + size;
  const auto read_as = [&at](auto zero) noexcept {
    decltype(zero) value;
    std::memcpy(&value, at, sizeof value);
    at += sizeof value;
    return static_cast<std::uintptr_t>(value);
  };
  while (at < end) {
    const std::uint8_t op = *at++;
    std::uintptr_t result = 0;
    if (op >= 0x30 && op <= 0x4f) {  // lit
      result = op - 0x30U;
    } else if ((op >= 0x70 && op <= 0x8f) || op == 0x92) {  // breg, bregx
      const std::uint64_t reg = op == 0x92 ? read_uleb(at) : op - 0x70U;
      const std::int64_t offset = read_sleb(at);
#if defined(__x86_64__)
      if (reg == 16) {
        result = r_.pc + static_cast<std::uintptr_t>(offset);
      } else
#endif
      {
        if (reg >= k_unwind_registers || !r_.has(reg)) return false;
        result = r_.value[reg] + static_cast<std::uintptr_t>(offset);
      }
    } else if (op >= 0x1a && op <= 0x2e && op != 0x1f && op != 0x20 && op != 0x23 && op != 0x28) {  // of two
      if (n < 2) return false;
      const std::uintptr_t b = stack[--n];
      const std::uintptr_t a = stack[--n];
      const auto sa = static_cast<std::intptr_t>(a);
      const auto sb = static_cast<std::intptr_t>(b);
      switch (op) {
        case 0x1a:
          result = a & b;
          break;
        case 0x1c:
          result = a - b;
          break;
        case 0x1e:
          result = a * b;
          break;
        case 0x21:
          result = a | b;
          break;
        case 0x22:
          result = a + b;
          break;
        case 0x24:
          result = b < 64 ? a << b : 0;
          break;
        case 0x25:
          result = b < 64 ? a >> b : 0;
          break;
        case 0x27:
          result = a ^ b;
          break;
        case 0x29:
          result = static_cast<std::uintptr_t>(a == b);
          break;
        case 0x2a:
          result = static_cast<std::uintptr_t>(sa >= sb);
          break;
        case 0x2b:
          result = static_cast<std::uintptr_t>(sa > sb);
          break;
        case 0x2c:
          result = static_cast<std::uintptr_t>(sa <= sb);
          break;
        case 0x2d:
          result = static_cast<std::uintptr_t>(sa < sb);
          break;
        case 0x2e:
          result = static_cast<std::uintptr_t>(a != b);
          break;
        default:
          return false;
      }
    } else {
      switch (op) {
        case 0x06:  // deref
          if (n == 0 || !view_.read(stack[--n], result)) return false;
          break;
        case 0x08:
          result = read_as(std::uint8_t{});
          break;
        case 0x09:
          result = read_as(std::int8_t{});
          break;
        case 0x0a:
          result = read_as(std::uint16_t{});
          break;
        case 0x0b:
          result = read_as(std::int16_t{});
          break;
        case 0x0c:
          result = read_as(std::uint32_t{});
          break;
        case 0x0d:
          result = read_as(std::int32_t{});
          break;
        case 0x03:
        case 0x0e:
        case 0x0f:
          result = read_as(std::uint64_t{});
          break;
        case 0x10:
          result = static_cast<std::uintptr_t>(read_uleb(at));
          break;
        case 0x11:
          result = static_cast<std::uintptr_t>(read_sleb(at));
          break;
        case 0x12:  // dup
          if (n == 0) return false;
          result = stack[n - 1];
          break;
        case 0x13:  // drop
          if (n == 0) return false;
          --n;
          continue;
        case 0x1f:  // neg
          if (n == 0) return false;
          result = 0 - stack[--n];
          break;
        case 0x20:  // not
          if (n == 0) return false;
          result = ~stack[--n];
          break;
        case 0x23:  // plus_uconst
          if (n == 0) return false;
          result = stack[--n] + static_cast<std::uintptr_t>(read_uleb(at));
          break;
        case 0x96:  // nop
          continue;
        default:
          return false;
      }
    }
    if (n == k_depth) return false;
    stack[n++] = result;
  }
  if (n == 0) return false;
  out = stack[n - 1];
  return true;
}

namespace {

// AArch64: takes the authentication code out of a return address; elsewhere nothing.
std::uintptr_t strip(std::uintptr_t pc, [[maybe_unused]] bool is_signed) noexcept {
#if defined(__aarch64__)
  if (is_signed) {
    register std::uintptr_t x30 asm("x30") = pc;
    asm("hint #7" : "+r"(x30));  // xpaclri; does nothing on CPUs without it
    return x30;
  }
#endif
  return pc;
}

}  // namespace

const frame_rules* stack_walk::rules_at(std::uintptr_t pc) noexcept {
  for (const cached& c : cache_) {
    if (c.pc == pc) return &c.rules;
  }
  cached& c = cache_[next_cached_];
  c.pc = 0;
  if (!find_frame_rules(pc, c.rules)) return nullptr;
  c.pc = pc;
  next_cached_ = (next_cached_ + 1) % k_cached;
  return &c.rules;
}

// The frame pointer is not known but the stack pointer is: looks for the nearest pair that a function with a frame
// pointer leaves at its beginning, the caller's frame pointer, which points further up, and a return address.
bool stack_walk::find_frame_pointer() noexcept {
  constexpr std::uintptr_t k_far = 4096;
  constexpr std::uintptr_t k_word = sizeof(std::uintptr_t);
  for (std::uintptr_t at = r_.sp(); at < r_.sp() + k_far; at += k_word) {
    std::uintptr_t fp = 0;
    std::uintptr_t pc = 0;
    if (!view_.read(at, fp) || !view_.read(at + k_word, pc)) return false;
    frame_rules there;
    if (fp > at && fp < view_.high && fp % (2 * k_word) == 0 && pc > k_page && find_frame_rules(pc - 1, there)) {
      r_.set(k_frame_pointer, at);
      return true;
    }
  }
  return false;
}

bool stack_walk::step(const frame_rules& rules, std::uintptr_t& cfa) noexcept {
  using kind = register_rule::kind;
  if (rules.cfa_expression != nullptr) {
    if (!evaluate(rules.cfa_expression, 0, false, cfa)) return false;
  } else {
    if (rules.cfa_register >= k_unwind_registers) return false;
    if (!r_.has(rules.cfa_register) && (rules.cfa_register != k_frame_pointer || !find_frame_pointer())) return false;
    cfa = r_.value[rules.cfa_register] + static_cast<std::uintptr_t>(rules.cfa_offset);
  }
  unwind_registers caller;
  for (std::size_t i = 0; i < k_unwind_registers; ++i) {
    const register_rule& rule = rules.registers[i];
    std::uintptr_t value = 0;
    switch (rule.what) {
      case kind::same:
        if (r_.has(i)) caller.set(i, r_.value[i]);
        break;
      case kind::undefined:
        break;
      case kind::at_offset:
        if (view_.read(cfa + static_cast<std::uintptr_t>(rule.offset), value)) caller.set(i, value);
        break;
      case kind::is_offset:
        caller.set(i, cfa + static_cast<std::uintptr_t>(rule.offset));
        break;
      case kind::in_register:
        if (static_cast<std::size_t>(rule.offset) < k_unwind_registers &&
            r_.has(static_cast<std::size_t>(rule.offset))) {
          caller.set(i, r_.value[static_cast<std::size_t>(rule.offset)]);
        }
        break;
      case kind::at_expression:
        if (evaluate(rule.expression, cfa, true, value) && view_.read(value, value)) caller.set(i, value);
        break;
      case kind::is_expression:
        if (evaluate(rule.expression, cfa, true, value)) caller.set(i, value);
        break;
    }
  }
  // The stack pointer of the caller is the frame address by definition, but for the frame of a signal.
  if (rules.registers[k_stack_pointer].what == kind::same) caller.set(k_stack_pointer, cfa);
  if (!caller.has(rules.return_register)) return false;
  caller.pc = strip(caller.value[rules.return_register], rules.signed_return);
  // What a call does not preserve is not known in the caller; a signal preserves all.
#if defined(__x86_64__)
  caller.known &= ~(std::uint64_t{1} << rules.return_register);
#endif
  r_ = caller;
  return true;
}

// For code without tables: what a compiler writes into assembler prologues, [frame pointer] -> {caller's, return}.
bool stack_walk::step_by_frame_pointer(std::uintptr_t& cfa) noexcept {
  if (!r_.has(k_frame_pointer)) return false;
  const std::uintptr_t at = r_.value[k_frame_pointer];
  std::uintptr_t fp = 0;
  std::uintptr_t pc = 0;
  if (at < r_.sp() || !view_.read(at, fp) || !view_.read(at + sizeof fp, pc)) return false;
  cfa = at + 2 * sizeof fp;
  unwind_registers caller;
  caller.set(k_frame_pointer, fp);
  caller.set(k_stack_pointer, cfa);
  caller.pc = strip(pc, true);
  r_ = caller;
  return true;
}

bool stack_walk::next(stack_frame& out) noexcept {
  if (ended_ || r_.pc == 0) return false;
  out = {r_.pc, r_.sp(), 0, 0, interrupted_, false};
  const frame_rules* rules = rules_at(out.lookup_pc());
  std::uintptr_t cfa = 0;
  bool stepped = false;
  if (rules != nullptr) {
    out.function = rules->function;
    out.signal_frame = interrupted_ = rules->signal_frame;
    stepped = step(*rules, cfa);
  } else {
    interrupted_ = false;
    stepped = step_by_frame_pointer(cfa);
  }
  out.cfa = cfa;
  // A stack grows down, so callers lie higher; anything else is no stack any more. Only a signal may have come from
  // another one.
  if (!stepped || (cfa <= last_cfa_ && !interrupted_)) ended_ = true;
  last_cfa_ = interrupted_ ? 0 : cfa;
  return true;
}

}  // namespace pirn::rt
