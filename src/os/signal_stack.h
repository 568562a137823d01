// The alternate stack of a thread, on which signal handlers run: a goroutine's own may be small. Layer: os.
// Source: sigaltstack(2).
#pragma once

#include <cstddef>

namespace pirn::rt {

struct signal_stack {
  void* base = nullptr;  // null: the thread had one already, which stays
  std::size_t bytes = 0;
};

// For the calling thread. Without memory handlers run where the thread is.
void install_signal_stack(signal_stack& s) noexcept;
void remove_signal_stack(signal_stack& s) noexcept;

}  // namespace pirn::rt
