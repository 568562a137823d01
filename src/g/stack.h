// Goroutine stacks: size classes, headers, carving. Layer: g. Memory behind it: os/stack_memory.h.
//
// A stack is bound to a goroutine when it first runs and handed back when it ends (late binding), so the number of
// stacks follows the goroutines that have begun, and the one in use is hot in cache. The header lies at the high end,
// in the page every user of the stack touches first. Consecutive stacks differ in their top offset (colour), so that
// parked frames do not all fall into the same cache sets; the largest colour leaves a parked frame its one page.
// Owner of a stack: the magazine or depot it lies in, else the goroutine it is bound to.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "g/magazine.h"
#include "os/base.h"
#include "os/sanitizer.h"

namespace pirn::rt {

inline constexpr std::size_t k_stack_classes = 5;
inline constexpr std::size_t k_stack_class_bytes[k_stack_classes] = {16 << 10, 64 << 10, 256 << 10, 1 << 20, 8 << 20};
inline constexpr std::uint8_t k_default_stack_class = 2;
// A mapping of its own, for sizes beyond the classes.
inline constexpr std::uint8_t k_own_mapping = k_stack_classes;

// Lies at the top of the stack it describes.
struct alignas(16) stack {
  stack* next = nullptr;        // Owner: the magazine or depot that holds it.
  stack* next_batch = nullptr;  // Owner: the depot.
  void* ahead = nullptr;        // Owner: the magazine.
  char* base = nullptr;         // Constant after carving: low end, guard included.
  std::size_t bytes = 0;        // Constant after carving: from base to the high end, guard included.
  std::uint8_t size_class = 0;  // Constant after carving.
  bool unguarded = false;       // Constant after carving: no guard could be had, see k_canary_bytes.
#ifdef PIRN_TSAN
  void* fiber = nullptr;  // Made when it is first bound: creating one takes half a millisecond.
  std::atomic<bool> fiber_busy{false};
#endif

  char* usable_low() const noexcept;
  // Where the first frame begins: 16-byte aligned, just below the header.
  char* top() noexcept { return reinterpret_cast<char*>(this); }
  const char* top() const noexcept { return reinterpret_cast<const char*>(this); }
};

// Where there is no guard, the highest bytes of the place for it are a canary: nobody writes there but who runs out of
// stack. It is zero as mapped, so it costs no page until then. More than a frame's usual size, so that few can step
// over it.
inline constexpr std::size_t k_canary_bytes = 256;

// Whether a goroutine that runs or ran on `s`, with its deepest frame at `sp`, has left its bounds. For stacks without
// a guard; asked after each switch, where the flags of the goroutine are looked at anyway, and at its end.
bool has_overflowed(const stack& s, const void* sp) noexcept;

inline void*& ahead_of(stack& s) noexcept { return s.ahead; }

using stack_magazine = magazine<stack, 32>;

// The class that gives at least `bytes` in all; k_own_mapping beyond the largest. Zero means the default.
std::uint8_t stack_class_for(std::size_t bytes) noexcept;

// All stacks of a run that no P holds, and the arenas they were carved from. Thread-safety: any thread.
class stack_depot {
 public:
  stack_depot() = default;
  stack_depot(const stack_depot&) = delete;
  stack_depot& operator=(const stack_depot&) = delete;
  // Unmaps the arenas: no goroutine may have a stack any more.
  ~stack_depot();

  // Fills an empty magazine with stacks given back or newly carved; false (errno set) when there is no memory.
  bool refill(std::uint8_t size_class, stack_magazine& m) noexcept;
  void take_back(std::uint8_t size_class, stack* batch) noexcept { classes_[size_class].depot.put(batch); }
  // A mapping of its own for `bytes` of stack; null with errno set when it cannot be had.
  stack* map_own(std::size_t bytes) noexcept;
  void unmap_own(stack* s) noexcept;

 private:
  stack* carve(std::uint8_t size_class, std::size_t want, std::size_t& got) noexcept;
  bool new_arena(std::uint8_t size_class) noexcept;
  struct per_class {
    batch_depot<stack> depot;
    thread_mutex carving;
    // Guarded by carving.
    char* fresh = nullptr;
    std::size_t fresh_left = 0;
    std::uint32_t next_colour = 0;
  };
  struct arena {
    char* base;
    std::size_t bytes;
  };
  // Not a vector: a refill may happen inside the runtime, where nobody may wait for malloc.
  struct arena_page {
    arena_page* next;
    std::size_t used;
    arena all[(k_page - 2 * sizeof(void*)) / sizeof(arena)];
  };
  bool remember_arena(char* base, std::size_t bytes) noexcept;
  per_class classes_[k_stack_classes];
  thread_mutex arenas_mu_;
  arena_page* arenas_ = nullptr;  // Guarded by arenas_mu_.
};

#ifdef PIRN_ASAN
// Neither a reused stack nor what is mapped at its address later keeps the poison of frames that were abandoned on it.
void unpoison(stack* s) noexcept;
#endif

}  // namespace pirn::rt
