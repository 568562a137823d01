// The goroutine object: its states, who owns what in each, and the pool it comes from. Layer: g.
//
// | state    | where it is                         | who owns the object and its stack            |
// | idle     | a free list                         | that list; no stack                          |
// | fresh    | being set up by its creator         | the creator; no stack                        |
// | runnable | a run queue, or in a dispatcher's hand | that queue's owner                        |
// | running  | `current` of one worker             | that worker's thread                         |
// | waiting  | a queue of what it waits on         | whoever takes it off that queue (exactly one)|
// | dead     | on its way back to a free list      | the worker that ran it last                  |
//
// A stack is bound from the first time it runs until it ends. While it waits nobody touches the stack but through the
// wait nodes that lie on it, under the lock of the queue they stand in. The state word is for reports: ownership moves
// by the queues, so plain relaxed stores suffice.
//
// Objects come from slabs that live as long as the run, at most three cache lines each: the first is what a switch
// touches, the second the closure, the third what spawn and reports need.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "g/magazine.h"
#include "g/stack.h"
#include "g/wait_reason.h"
#include "os/base.h"
#include "os/context.h"
#include "os/sanitizer.h"
#include "pirn/detail/closure.h"

namespace pirn::rt {

struct worker;

enum class g_state : std::uint8_t { idle, fresh, runnable, running, waiting, dead };

// Flags, owner: as the goroutine.
inline constexpr std::uint8_t k_g_locked = 1;     // bound to extras->locked_to
inline constexpr std::uint8_t k_g_unwinding = 2;  // must leave by a forced unwind when it next runs
inline constexpr std::uint8_t k_g_main = 4;
inline constexpr std::uint8_t k_g_leaving = 8;     // a forced unwind is under way
inline constexpr std::uint8_t k_g_unguarded = 16;  // its stack has a canary for a guard
inline constexpr std::uint8_t k_g_named = 32;      // extras->name is its own

// The C++ runtime's per-thread exception state (__cxa_eh_globals of the Itanium ABI). It belongs to the goroutine:
// parking inside a catch block and going on elsewhere must find its own exception again.
struct exception_state {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

// Something on a goroutine's stack that others can reach although it stands in no queue the goroutine waits on. At the
// end of a run it is told to take itself out, whatever its goroutine was doing.
struct left_at_end_of_run {
  void (*leave)(left_at_end_of_run& self) noexcept = nullptr;
};

// What few goroutines have. Made outside the runtime, by the goroutine itself or its creator; stays with the object,
// for the next goroutine in it, until the run ends, so that nothing is freed inside either.
struct g_extras {
  std::string name;
  std::size_t stack_bytes = 0;
  worker* locked_to = nullptr;
  std::uint32_t lock_count = 0;
  left_at_end_of_run* to_leave = nullptr;  // Owner: the goroutine, inside.
};

struct alignas(k_cache_line) goroutine {
  // First line: what a switch reads and writes.
  machine_context ctx;
  goroutine* next = nullptr;  // Owner: the queue it stands in.
  stack* stk = nullptr;
  exception_state eh;
  fp_control fp;

  // Second line: the closure.
  detail::closure_slot slot;

  // Third line.
  goroutine* next_batch = nullptr;  // Owner: the depot.
  std::uint64_t id = 0;
  void* creator_pc = nullptr;
  std::uint64_t creator_id = 0;
  const park_kind* waits_for = nullptr;
  void* wait_object = nullptr;
  g_extras* extras = nullptr;
  std::atomic<g_state> state{g_state::idle};
  std::uint8_t flags = 0;
  std::uint8_t size_class = k_default_stack_class;
  std::uint32_t waits_since_ms = 0;  // of the runtime's coarse clock
  [[no_unique_address]] sanitizer_state san;

  void set_state(g_state s) noexcept { state.store(s, std::memory_order_relaxed); }
  g_state get_state() const noexcept { return state.load(std::memory_order_relaxed); }
};

#ifndef PIRN_SANITIZED
static_assert(sizeof(goroutine) == 3 * k_cache_line);
#endif

// REQUIRES: outside the runtime; g is the caller's own, or not started yet.
inline g_extras& need_extras(goroutine* g) {
  if (g->extras == nullptr) g->extras = new g_extras;
  return *g->extras;
}

// A free one has no context.
inline void*& ahead_of(goroutine& g) noexcept { return g.ctx.sp; }

using goroutine_magazine = magazine<goroutine, 64>;

// Every goroutine object of a run: slabs, the depot of free ones, and the walk over all of them.
class goroutine_pool {
 public:
  ~goroutine_pool();
  // False (errno set) when there is no memory.
  bool refill(goroutine_magazine& m) noexcept;
  void take_back(goroutine* batch) noexcept { depot_.put(batch); }

  // Calls f(first, count) for each slab: objects that were carved so far, and stay where they are while the run lasts.
  template <class F>
  void for_each_slab(F&& f) {
    slabs_mu_.lock();
    for (slab* s = slabs_; s != nullptr; s = s->next) f(s->objects(), s->used);
    slabs_mu_.unlock();
  }

  // Calls f for each object that was ever carved. REQUIRES: no concurrent refill, or f tolerates missing new ones.
  template <class F>
  void for_each(F&& f) {
    slabs_mu_.lock();
    for (slab* s = slabs_; s != nullptr; s = s->next) {
      for (std::size_t i = 0; i < s->used; ++i) f(s->objects()[i]);
    }
    slabs_mu_.unlock();
  }

 private:
  struct slab {
    slab* next;
    std::size_t used;
    std::size_t capacity;
    goroutine* objects() noexcept { return reinterpret_cast<goroutine*>(reinterpret_cast<char*>(this) + k_cache_line); }
  };
  batch_depot<goroutine> depot_;
  thread_mutex slabs_mu_;
  slab* slabs_ = nullptr;  // Guarded by slabs_mu_.
};

}  // namespace pirn::rt
