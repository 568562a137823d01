// Alternate stacks. Layer: os.
#include "os/signal_stack.h"

#include <signal.h>
#include <sys/mman.h>

namespace pirn::rt {

namespace {
// A frame holds all registers (some 3 KiB with AVX-512, 11 KiB with AMX); the rest is for what handlers call. Pages
// come by touch.
constexpr std::size_t k_bytes = 64 * 1024;
constexpr std::size_t k_enough = 16 * 1024;
}  // namespace

void install_signal_stack(signal_stack& s) noexcept {
  stack_t now{};
  // A sanitizer's, or the program's own.
  if (sigaltstack(nullptr, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0 && now.ss_size >= k_enough) return;
  void* p = mmap(nullptr, k_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return;
  stack_t own{};
  own.ss_sp = p;
  own.ss_size = k_bytes;
  if (sigaltstack(&own, nullptr) != 0) {
    munmap(p, k_bytes);
    return;
  }
  s.base = p;
  s.bytes = k_bytes;
}

void remove_signal_stack(signal_stack& s) noexcept {
  if (s.base == nullptr) return;
  stack_t now{};
  // Somebody may have put his own in its place meanwhile.
  if (sigaltstack(nullptr, &now) == 0 && now.ss_sp == s.base) {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
  }
  munmap(s.base, s.bytes);
  s.base = nullptr;
}

}  // namespace pirn::rt
