// What the sanitizers must be told of every switch; nothing at all in ordinary builds. Layer: os.
// Source: <sanitizer/tsan_interface.h>, <sanitizer/common_interface_defs.h>.
//
// TSan: every stack has a fiber, which its goroutines use one after the other. To the detector they are then one
// thread, and a race between two of them in turn would not be seen; so stacks are reused in the order in which they
// came back, not the last one first (sched/find_work.cpp). Switches are announced with the no-sync flag, so that two
// goroutines are not taken for ordered just because one thread ran both; the real edges (who made whom ready, who
// started whom) are annotated where they arise. The fiber changes only after the work that follows a park has run, so
// that a lock which the parking goroutine holds is given back in its name; on whose stack, see on_borrowed_stack.
// ASan: told the bounds of each stack before the switch and that it arrived after it.
#pragma once

#include <atomic>
#include <cstddef>

#include "os/base.h"

#ifdef PIRN_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void __tsan_ignore_thread_begin();
void __tsan_ignore_thread_end();
unsigned char __tsan_atomic8_load(const volatile void* at, int order);
void AnnotateBenignRaceSized(const char* file, int line, const volatile void* at, std::size_t size, const char* why);
}
#endif
#ifdef PIRN_ASAN
extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack_save, const void* bottom, std::size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack_save, const void** bottom_old, std::size_t* size_old);
void __asan_handle_no_return();
void __asan_unpoison_memory_region(void const volatile* addr, std::size_t size);
void __lsan_register_root_region(const void* p, std::size_t size);
void __lsan_unregister_root_region(const void* p, std::size_t size);
void __lsan_ignore_object(const void* p);
}
#endif

namespace pirn::rt {

// Part of every goroutine and every scheduling stack. Empty in ordinary builds.
struct sanitizer_state {
#ifdef PIRN_TSAN
  void* fiber = nullptr;
  // Set while some thread runs as the fiber. A goroutine can be made ready by the work that follows its park, before
  // the thread has changed to the next fiber; whoever takes it up waits for that.
  std::atomic<bool>* busy = nullptr;
#endif
#ifdef PIRN_ASAN
  void* fake_stack = nullptr;
  const void* bottom = nullptr;
  std::size_t size = 0;
#endif
};

// `at` happens before whoever calls happens_after(at) next.
PIRN_ALWAYS_INLINE void happens_before([[maybe_unused]] void* at) noexcept {
#ifdef PIRN_TSAN
  __tsan_release(at);
#endif
}
PIRN_ALWAYS_INLINE void happens_after([[maybe_unused]] void* at) noexcept {
#ifdef PIRN_TSAN
  __tsan_acquire(at);
#endif
}

// While it lives the detector takes no notice of what this thread reads and writes; what its atomics order still
// counts. For the work that follows a park: that runs in the name of the goroutine that parked, but on its successor's
// stack, so that a local of it which has an address would be a race between the two. `used` is what the work touches of
// others' memory: that is shown to the detector once, so that memory which somebody frees meanwhile is still reported.
struct on_borrowed_stack {
#ifdef PIRN_TSAN
  explicit on_borrowed_stack(const void* used) noexcept {
    __tsan_atomic8_load(used, __ATOMIC_RELAXED);
    __tsan_ignore_thread_begin();
  }
  ~on_borrowed_stack() { __tsan_ignore_thread_end(); }
  on_borrowed_stack(const on_borrowed_stack&) = delete;
  on_borrowed_stack& operator=(const on_borrowed_stack&) = delete;
#else
  explicit on_borrowed_stack(const void*) noexcept {}
#endif
};

// The goroutines on a thread use one errno in turn, each finding its own value there: nothing that could race.
PIRN_ALWAYS_INLINE void never_raced_for([[maybe_unused]] const int* errno_at) noexcept {
#ifdef PIRN_TSAN
  AnnotateBenignRaceSized(__FILE__, __LINE__, errno_at, sizeof *errno_at, "errno, carried over switches");
#endif
}

PIRN_ALWAYS_INLINE void before_switch([[maybe_unused]] sanitizer_state* from,
                                      [[maybe_unused]] const sanitizer_state& to) noexcept {
#ifdef PIRN_ASAN
  __sanitizer_start_switch_fiber(from != nullptr ? &from->fake_stack : nullptr, to.bottom, to.size);
#endif
}

// First thing on the other stack. `self` is the one that goes on now.
PIRN_ALWAYS_INLINE void after_switch([[maybe_unused]] sanitizer_state& self) noexcept {
#ifdef PIRN_ASAN
  __sanitizer_finish_switch_fiber(self.fake_stack, nullptr, nullptr);
#endif
}

// Once the work that follows a park has run in the name of the one that parked.
// `busy` is the flag of the fiber that this thread runs as.
#ifdef PIRN_TSAN
inline void adopt_fiber(sanitizer_state& self, std::atomic<bool>*& busy) noexcept {
  while (self.busy->exchange(true, std::memory_order_acquire)) cpu_pause();
  __tsan_switch_to_fiber(self.fiber, 1);
  busy->store(false, std::memory_order_release);
  busy = self.busy;
}
#endif

}  // namespace pirn::rt
