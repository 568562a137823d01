// What the templates of go.h call: making a goroutine around a closure. Internal to the headers.
// Layer: sched.
#pragma once

#include <cstddef>
#include <string>

#include "pirn/detail/closure.h"

// A handler for abi::__forced_unwind is entered without an object: libstdc++ has none to give, which UBSan takes for a
// reference to null. For functions that have such a handler.
#ifdef __SANITIZE_ADDRESS__
#define PIRN_DETAIL_CATCHES_FORCED_UNWIND __attribute__((no_sanitize("null"), noinline))  // inlined it would be lost
#else
#define PIRN_DETAIL_CATCHES_FORCED_UNWIND __attribute__((no_sanitize("null")))
#endif

// Always inlined: reports say who started a goroutine, by the address that new_goroutine::start() returns to.
#define PIRN_DETAIL_NAMES_CALLER __attribute__((always_inline)) inline

namespace pirn::detail {

// A goroutine that was made and not yet started. Destroying it unstarted gives it back.
class new_goroutine {
 public:
  // Throws std::logic_error outside run(), std::system_error without memory.
  new_goroutine();
  new_goroutine(std::size_t stack_size, const std::string& name);
  ~new_goroutine() {
    if (g_ != nullptr) discard();
  }
  new_goroutine(const new_goroutine&) = delete;
  new_goroutine& operator=(const new_goroutine&) = delete;

  closure_slot& slot() noexcept { return *slot_; }
  void start();

 private:
  void discard() noexcept;
  void make(std::size_t stack_size, const std::string* name);
  void* g_ = nullptr;
  closure_slot* slot_ = nullptr;
  bool outside_ = false;  // made by a thread that is no goroutine: it keeps the run from being torn down meanwhile
};

// Room for what a goroutine shares with its handle: small, and gone as fast as goroutines are. Free ones are kept by
// the P that frees them. Any thread; also outside a run. Throws std::bad_alloc.
inline constexpr std::size_t k_join_bytes = 64;
void* new_join_block();
void delete_join_block(void* block) noexcept;

// "go of nil func value", as Go dies of it.
[[noreturn]] void go_of_nil() noexcept;

template <class F>
void check_callable(const F& f) noexcept {
  if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>) {
    if (f == nullptr) go_of_nil();
  }
}

// Throws std::future_error (no_state); <future> is too much for a header that everybody includes.
[[noreturn]] void throw_no_state();

struct run_settings {
  int gomaxprocs;
  std::size_t stack_size;
  std::size_t main_stack_size;
  bool lock_main_thread;
  int at_exit;
  long long grace_ns;
  int preempt_signal;
};

void run(const run_settings& settings, void (*fn)(void*), void* arg);

// Ends the process as an exception that leaves a goroutine does. REQUIRES: inside a catch block.
[[noreturn]] void panic_with_current_exception() noexcept;

// Whether the current goroutine is being unwound by goexit() or the end of the run.
bool leaves_by_force() noexcept;

}  // namespace pirn::detail
