// Finding and executing call frame information. Layer: os. Essay: os/call_frame_info.h.
//
// The tables are found by libgcc's _Unwind_Find_FDE, which the C++ runtime uses for every exception: it knows the
// loaded objects and keeps an index of their tables.
#include "os/call_frame_info.h"

#include <cstring>

// Source: unwind-dw2-fde.h of libgcc; exported under the version GCC_3.0 for use by others.
extern "C" {
struct dwarf_eh_bases {
  void* tbase;
  void* dbase;
  void* func;
};
const void* _Unwind_Find_FDE(void* pc, dwarf_eh_bases* bases);  // NOLINT: the name is libgcc's
}

namespace pirn::rt {

std::uint64_t read_uleb(const std::uint8_t*& at) noexcept {
  std::uint64_t value = 0;
  unsigned shift = 0;
  for (;;) {
    const std::uint8_t byte = *at++;
    if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    shift += 7;
    if ((byte & 0x80) == 0) return value;
  }
}

std::int64_t read_sleb(const std::uint8_t*& at) noexcept {
  std::uint64_t value = 0;
  unsigned shift = 0;
  for (;;) {
    const std::uint8_t byte = *at++;
    if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    shift += 7;
    if ((byte & 0x80) != 0) continue;
    if (shift < 64 && (byte & 0x40) != 0) value |= ~std::uint64_t{0} << shift;
    return static_cast<std::int64_t>(value);
  }
}

namespace {

template <class T>
T read(const std::uint8_t*& at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  at += sizeof value;
  return value;
}

// Bytes of a pointer in this encoding; 0 when it has no fixed size.
std::size_t encoded_size(std::uint8_t encoding) noexcept {
  switch (encoding & 0x07) {
    case 0:
    case 4:
      return 8;
    case 2:
      return 2;
    case 3:
      return 4;
    default:
      return 0;
  }
}

struct entry_pair {
  std::uint64_t code_align = 1;
  std::int64_t data_align = 1;
  const std::uint8_t* initial = nullptr;  // the instructions common to all functions of the CIE
  const std::uint8_t* initial_end = nullptr;
  const std::uint8_t* own = nullptr;  // those of this function
  const std::uint8_t* own_end = nullptr;
};

// Reads the entry of a function and the common entry that it refers to. False for a form no compiler writes here.
bool parse(const std::uint8_t* fde, entry_pair& e, frame_rules& rules) noexcept {
  const std::uint8_t* at = fde;
  const auto length = read<std::uint32_t>(at);
  if (length == 0 || length == 0xffffffff) return false;
  e.own_end = at + length;
  const std::uint8_t* const base = at;
  const std::uint8_t* cie = base - read<std::int32_t>(at);
  const std::uint8_t* const own = at;

  at = cie;
  const auto cie_length = read<std::uint32_t>(at);
  e.initial_end = at + cie_length;
  at += 4;
  const auto version = read<std::uint8_t>(at);
  if (version != 1 && version != 3) return false;
  const char* augmentation = reinterpret_cast<const char*>(at);
  at += std::strlen(augmentation) + 1;
  e.code_align = read_uleb(at);
  e.data_align = read_sleb(at);
  rules.return_register = version == 1 ? read<std::uint8_t>(at) : read_uleb(at);
  std::uint8_t pointers = 0;
  const bool sized = *augmentation == 'z';
  if (sized) {
    const std::uint64_t size = read_uleb(at);
    e.initial = at + size;
    for (const char* c = augmentation + 1; *c != '\0'; ++c) {
      if (*c == 'R') {
        pointers = read<std::uint8_t>(at);
      } else if (*c == 'L') {
        ++at;
      } else if (*c == 'P') {
        const auto encoding = read<std::uint8_t>(at);
        const std::size_t bytes = encoded_size(encoding);
        if (bytes == 0) return false;
        at += bytes;
      } else if (*c == 'S') {
        rules.signal_frame = true;
      }  // 'B', 'G': no data
    }
  } else if (*augmentation == '\0') {
    e.initial = at;
  } else {
    return false;
  }

  const std::size_t bytes = encoded_size(pointers);
  if (bytes == 0) return false;
  e.own = own + 2 * bytes;
  if (sized) {
    const std::uint64_t skip = read_uleb(e.own);
    e.own += skip;
  }
  return rules.return_register < k_unwind_registers;
}

// What DW_CFA_remember_state keeps.
struct remembered {
  std::size_t cfa_register;
  std::int64_t cfa_offset;
  const std::uint8_t* cfa_expression;
  register_rule registers[k_unwind_registers];
};

class interpreter {
 public:
  interpreter(const entry_pair& e, frame_rules& rules, std::uintptr_t pc) noexcept : e_(e), rules_(rules), pc_(pc) {}

  bool run() noexcept {
    if (!execute(e_.initial, e_.initial_end)) return false;
    for (std::size_t i = 0; i < k_unwind_registers; ++i) initial_[i] = rules_.registers[i];
    location_ = rules_.function;
    return execute(e_.own, e_.own_end);
  }

 private:
  void set(std::uint64_t reg, register_rule::kind what, std::int64_t offset) noexcept {
    if (reg < k_unwind_registers) rules_.registers[reg] = {what, offset, nullptr};
  }
  void set_expression(std::uint64_t reg, register_rule::kind what, const std::uint8_t*& at) noexcept {
    if (reg < k_unwind_registers) rules_.registers[reg] = {what, 0, at};
    const std::uint64_t size = read_uleb(at);
    at += size;
  }
  void advance(std::uint64_t by) noexcept { location_ += by * e_.code_align; }

  // True while the instructions hold at pc_.
  bool execute(const std::uint8_t* at, const std::uint8_t* end) noexcept {
    using kind = register_rule::kind;
    while (at < end && location_ <= pc_) {
      const std::uint8_t op = *at++;
      const std::uint8_t low = op & 0x3f;
      switch (op & 0xc0) {
        case 0x40:  // advance_loc
          advance(low);
          continue;
        case 0x80:  // offset
          set(low, kind::at_offset, static_cast<std::int64_t>(read_uleb(at)) * e_.data_align);
          continue;
        case 0xc0:  // restore
          if (low < k_unwind_registers) rules_.registers[low] = initial_[low];
          continue;
        default:
          break;
      }
      std::uint64_t reg = 0;
      switch (op) {
        case 0x00:  // nop
          break;
        case 0x02:  // advance_loc1, 2, 4
          advance(read<std::uint8_t>(at));
          break;
        case 0x03:
          advance(read<std::uint16_t>(at));
          break;
        case 0x04:
          advance(read<std::uint32_t>(at));
          break;
        case 0x05:  // offset_extended
          reg = read_uleb(at);
          set(reg, kind::at_offset, static_cast<std::int64_t>(read_uleb(at)) * e_.data_align);
          break;
        case 0x06:  // restore_extended
          reg = read_uleb(at);
          if (reg < k_unwind_registers) rules_.registers[reg] = initial_[reg];
          break;
        case 0x07:  // undefined
          set(read_uleb(at), kind::undefined, 0);
          break;
        case 0x08:  // same_value
          set(read_uleb(at), kind::same, 0);
          break;
        case 0x09:  // register
          reg = read_uleb(at);
          set(reg, kind::in_register, static_cast<std::int64_t>(read_uleb(at)));
          break;
        case 0x0a:  // remember_state
          if (depth_ == k_depth) return false;
          kept_[depth_] = {rules_.cfa_register, rules_.cfa_offset, rules_.cfa_expression, {}};
          for (std::size_t i = 0; i < k_unwind_registers; ++i) kept_[depth_].registers[i] = rules_.registers[i];
          ++depth_;
          break;
        case 0x0b:  // restore_state
          if (depth_ == 0) return false;
          --depth_;
          rules_.cfa_register = kept_[depth_].cfa_register;
          rules_.cfa_offset = kept_[depth_].cfa_offset;
          rules_.cfa_expression = kept_[depth_].cfa_expression;
          for (std::size_t i = 0; i < k_unwind_registers; ++i) rules_.registers[i] = kept_[depth_].registers[i];
          break;
        case 0x0c:  // def_cfa
          rules_.cfa_register = read_uleb(at);
          rules_.cfa_offset = static_cast<std::int64_t>(read_uleb(at));
          rules_.cfa_expression = nullptr;
          break;
        case 0x0d:  // def_cfa_register
          rules_.cfa_register = read_uleb(at);
          rules_.cfa_expression = nullptr;
          break;
        case 0x0e:  // def_cfa_offset
          rules_.cfa_offset = static_cast<std::int64_t>(read_uleb(at));
          break;
        case 0x0f: {  // def_cfa_expression
          rules_.cfa_expression = at;
          const std::uint64_t size = read_uleb(at);
          at += size;
          break;
        }
        case 0x10:  // expression
          reg = read_uleb(at);
          set_expression(reg, kind::at_expression, at);
          break;
        case 0x11:  // offset_extended_sf
          reg = read_uleb(at);
          set(reg, kind::at_offset, read_sleb(at) * e_.data_align);
          break;
        case 0x12:  // def_cfa_sf
          rules_.cfa_register = read_uleb(at);
          rules_.cfa_offset = read_sleb(at) * e_.data_align;
          rules_.cfa_expression = nullptr;
          break;
        case 0x13:  // def_cfa_offset_sf
          rules_.cfa_offset = read_sleb(at) * e_.data_align;
          break;
        case 0x14:  // val_offset
          reg = read_uleb(at);
          set(reg, kind::is_offset, static_cast<std::int64_t>(read_uleb(at)) * e_.data_align);
          break;
        case 0x15:  // val_offset_sf
          reg = read_uleb(at);
          set(reg, kind::is_offset, read_sleb(at) * e_.data_align);
          break;
        case 0x16:  // val_expression
          reg = read_uleb(at);
          set_expression(reg, kind::is_expression, at);
          break;
        case 0x2d:  // AArch64: negate_ra_state
          rules_.signed_return = !rules_.signed_return;
          break;
        case 0x2e:  // GNU_args_size
          read_uleb(at);
          break;
        case 0x2f:  // GNU_negative_offset_extended
          reg = read_uleb(at);
          set(reg, kind::at_offset, -static_cast<std::int64_t>(read_uleb(at)) * e_.data_align);
          break;
        default:
          return false;
      }
    }
    return true;
  }

  static constexpr std::size_t k_depth = 4;

  const entry_pair& e_;
  frame_rules& rules_;
  std::uintptr_t pc_;
  std::uintptr_t location_ = 0;
  register_rule initial_[k_unwind_registers];
  remembered kept_[k_depth];
  std::size_t depth_ = 0;
};

}  // namespace

bool find_frame_rules(std::uintptr_t pc, frame_rules& out) noexcept {
  dwarf_eh_bases bases{};
  const void* fde = _Unwind_Find_FDE(reinterpret_cast<void*>(pc), &bases);
  if (fde == nullptr) return false;
  out = {};
  out.function = reinterpret_cast<std::uintptr_t>(bases.func);
  entry_pair e;
  if (!parse(static_cast<const std::uint8_t*>(fde), e, out)) return false;
  return interpreter(e, out, pc).run();
}

}  // namespace pirn::rt
