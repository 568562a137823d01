// All stacks as text, with what taking them cost. Layer: debug.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "os/unwind.h"

namespace pirn::rt {

struct dump_figures {
  std::size_t goroutines = 0;
  std::uint32_t stops = 0;           // how often the world stood still
  std::int64_t stopped_ns = 0;       // for how long in all
  std::int64_t longest_stop_ns = 0;  // and at most
};

// Appends Go's text: the calling goroutine's stack from `from` on, and all the others' if asked for.
dump_figures write_stacks(std::string& to, bool all, const unwind_registers& from);

}  // namespace pirn::rt
