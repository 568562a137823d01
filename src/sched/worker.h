// M and P: the thread that runs goroutines and the right to run them. Layer: sched. Essay: docs/internals/scheduler.md.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <new>

#include "g/goroutine.h"
#include "os/cycle_clock.h"
#include "os/futex.h"
#include "os/spinlock.h"
#include "os/thread_state.h"
#include "os/untracked.h"
#include "sched/run_queue.h"
#include "timer/timer_heap.h"

extern "C" {
// The current worker of this thread, null on a foreign thread. Read it through this_worker() only.
extern __thread pirn::rt::worker* pirn_current_worker;
}

namespace pirn::rt {

struct scheduler;
struct worker;

// Objects that come and go as fast as goroutines; see sched/blocks.h.
enum class block_kind : std::uint8_t { join, timer };
inline constexpr std::size_t k_block_kinds = 2;

// Free memory of one size, for what outlives neither a goroutine nor its handle. It comes from malloc, one by one: the
// last of them may be freed long after the run. Owner only.
class block_list {
 public:
  block_list() noexcept = default;
  block_list(const block_list&) = delete;
  block_list& operator=(const block_list&) = delete;
  ~block_list() {
    while (void* block = try_pop()) ::operator delete(block);
  }
  void* try_pop() noexcept {
    free_block* b = first_;
    if (b == nullptr) return nullptr;
    first_ = b->next;
    --count_;
    return b;
  }
  // False when there are enough.
  bool try_push(void* block) noexcept {
    if (count_ == k_most) return false;
    first_ = ::new (block) free_block{first_};
    ++count_;
    return true;
  }

 private:
  static constexpr std::uint32_t k_most = 256;
  struct free_block {
    free_block* next;
  };
  free_block* first_ = nullptr;
  std::uint32_t count_ = 0;
};

// The right to run goroutines. Fields without atomics belong to the worker that holds it, or to who holds the
// hold handshake against that worker.
struct alignas(k_cache_line) processor : untracked {
  run_queue queue;
  // Written by the owner, read by sysmon: moves when the P dispatches. Every k_global_check-th dispatch takes the slow
  // way, which looks at timers and the global queue.
  std::atomic<std::uint32_t> tick{0};
  std::uint32_t until_global_check = 0;
  std::uint32_t until_poll = 0;  // of the rounds that look at the global queue: the others do not look at the poller
  std::atomic<std::uint32_t> syscall_tick{0};  // sections of blocking() that lost the P

  goroutine_magazine free_goroutines;
  stack_magazine free_stacks[k_stack_classes];
  block_list free_blocks[k_block_kinds];

  std::uint64_t next_id = 0;
  std::uint64_t ids_end = 0;

  // Counters; owner writes, anyone sums.
  std::atomic<std::uint64_t> created{0};
  std::atomic<std::uint64_t> finished{0};

  timer_heap* timers = nullptr;  // Constant after construction. Lives as long as the process.

  int index = 0;                         // Constant after construction.
  std::atomic<worker*> holder{nullptr};  // Guarded by scheduler::mu for changes; read by sysmon and thieves.
  processor* next_idle = nullptr;        // Guarded by scheduler::mu.
  std::atomic<bool> retired{false};      // Guarded by scheduler::mu for changes: beyond GOMAXPROCS.
  // It waits for a thread to be made. Guarded by scheduler::mu.
  processor* next_start = nullptr;
  std::int64_t start_asked_ns = 0;
  bool start_spinning = false;
  bool owned = false;  // held by a worker, or on its way to one; guarded by scheduler::mu

  // When it was given to a goroutine that had been stopped in place: more exact than sysmon could see it. Written with
  // bound_tick, of which it is true, by the owner.
  std::atomic<std::int64_t> bound_ns{0};
  std::atomic<std::uint32_t> bound_tick{0};

  // Sysmon's notes; see sysmon.cpp.
  const worker* seen_holder = nullptr;
  std::uint32_t seen_tick = 0;
  std::uint32_t seen_call = 0;
  std::int64_t unmoved_since = 0;
  std::int64_t look_at_thread_at = 0;
  std::int64_t asked_at = 0;
  bool was_wanted = false;
  int seen_awake = 0;     // looks at the holder's thread in a row
  thread_look last_look;  // at the holder's thread
};

// Bits of worker::attention: reasons why the next entry into the runtime takes the slow way.
inline constexpr std::uint32_t k_attn_hold = 1;      // somebody acts as owner of this worker's P: wait until it is done
inline constexpr std::uint32_t k_attn_share = 2;     // a thief asks for half of the ring
inline constexpr std::uint32_t k_attn_stop = 4;      // the run has ended: go no further
inline constexpr std::uint32_t k_attn_no_p = 8;      // the P was taken: get one before anything else
inline constexpr std::uint32_t k_attn_fence = 32;    // no membarrier here: every entry needs a fence of its own
inline constexpr std::uint32_t k_attn_retired = 16;  // the P is beyond GOMAXPROCS now: give it up
inline constexpr std::uint32_t k_attn_forked = 128;  // this is the child of a fork: no other thread is there
inline constexpr std::uint32_t k_attn_yield = 64;    // others wait: stop in place on the way out

// What must happen once a goroutine has left its stack, done first thing by who goes on: give a lock back, or fn(arg).
struct switch_work {
  void* arg = nullptr;          // null: nothing
  void (*fn)(void*) = nullptr;  // null: arg is a spinlock

  static switch_work unlock(spinlock& l) noexcept { return {&l, nullptr}; }
  static switch_work call(void (*fn)(void*), void* arg) noexcept { return {arg, fn}; }
};

struct alignas(k_cache_line) worker : untracked {
  // The handshake of the essay, "Entries". Owner stores, sysmon, thieves and stop_the_world read.
  std::atomic<std::uint32_t> inside{1};
  std::atomic<std::uint32_t> attention{0};
  // Odd while the goroutine is in blocking(). Owner stores, sysmon reads.
  std::atomic<std::uint32_t> in_call{0};
  // What sysmon's next signal to this thread means, and when it no longer means anything; see in_place.cpp.
  std::atomic<std::uint32_t> stop_asked{0};
  std::atomic<std::uint32_t> stop_tick{0};

  // Owner only.
  bool unstoppable = false;  // the handler of that signal must leave the thread alone
  goroutine* current = nullptr;
  processor* p = nullptr;
  switch_work after;
  exception_state* eh = nullptr;  // this thread's globals; constant after start
  int* errno_at = nullptr;        // this thread's errno; constant after start
  machine_context sched_ctx;      // the scheduling stack
  fp_control sched_fp;
  exception_state sched_eh;
  sanitizer_state sched_san;
#ifdef PIRN_TSAN
  std::atomic<bool> sched_fiber_busy{true};
  std::atomic<bool>* busy_fiber = &sched_fiber_busy;
  stack* left_stack = nullptr;  // of the goroutine that ended here, until the thread runs on another
#endif
  std::uint64_t random = 0;
  cycle_clock clock;
  bool spinning = false;
  goroutine* locked_g = nullptr;         // the goroutine bound to this thread
  stack* own_mapping_to_free = nullptr;  // a finished goroutine's, kept until nobody runs on it
  bool must_end = false;  // its locked goroutine has ended, and the thread with it; or, written before wake, it is idle

  // How it is woken: with the P it is to run, written before wake.signal().
  thread_event wake;
  processor* handed_p = nullptr;

  // Guarded by scheduler::mu.
  worker* next_idle = nullptr;
  worker* prev_idle = nullptr;
  bool on_idle_list = false;
  bool lingers = false;  // has slept for long, and was needed then
  std::int64_t sleeps_until = k_forever;
  worker* next_in_place = nullptr;
  worker* next_ended = nullptr;
  // Its P was taken while its goroutine was in a call.
  enum class absence : std::uint8_t { none, announced, unannounced };
  absence away = absence::none;
  worker* next_away = nullptr;  // of the unannounced
  worker* prev_away = nullptr;
  // Sysmon's notes on it while it is away.
  std::int64_t look_at = 0;
  std::int64_t look_delay = 0;
  thread_look last_look;

  scheduler* sched = nullptr;  // Constant after construction.
  int index = 0;
  pthread_t thread{};
  int tid = 0;                   // the kernel's number of the thread; constant after start
  void* signal_stack = nullptr;  // made for the thread's signal handlers, or null
  int thread_slot = -1;  // this thread's own cell in tables of counters (os/thread_slot.h); constant after start

  // The two below are not inline under ThreadSanitizer: the layers above are instrumented, and to it two goroutines
  // that ran on one worker in turn would race here.
#ifdef PIRN_TSAN
  std::uint32_t next_random() noexcept;
  std::int64_t clock_now() noexcept;
#else
  std::uint32_t next_random() noexcept { return step_random(); }
  std::int64_t clock_now() noexcept { return clock.now(); }
#endif

 private:
  // xorshift64*: only fairness depends on it.
  std::uint32_t step_random() noexcept {
    random ^= random >> 12;
    random ^= random << 25;
    random ^= random >> 27;
    return static_cast<std::uint32_t>((random * 0x2545F4914F6CDD1DULL) >> 32);
  }
};

// The one way to learn the current worker. Volatile assembler: the compiler can neither keep the value nor the address
// of the thread-local across a switch, also with link-time optimisation.
PIRN_ALWAYS_INLINE worker* this_worker() noexcept {
  worker* w;
#if defined(__x86_64__)
  asm volatile(
      "movq pirn_current_worker@gottpoff(%%rip), %0\n\t"
      "movq %%fs:(%0), %0"
      : "=r"(w));
#elif defined(__aarch64__)
  std::uintptr_t thread;
  asm volatile(
      "mrs %1, tpidr_el0\n\t"
      "adrp %0, :gottprel:pirn_current_worker\n\t"
      "ldr %0, [%0, :gottprel_lo12:pirn_current_worker]\n\t"
      "ldr %0, [%1, %0]"
      : "=&r"(w), "=r"(thread));
#endif
  return w;
}

}  // namespace pirn::rt
