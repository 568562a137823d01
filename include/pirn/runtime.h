// The runtime's knobs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace pirn::runtime {

// How many goroutines may run at once. With n > 0 it changes that, up to 4096, and returns what it was before; n <= 0
// asks. Outside a run: what a run would start with; nothing is changed.
int gomaxprocs(int n = 0);

// CPUs that this process may use (its affinity mask), as of the first call.
int num_cpu() noexcept;

// Goroutines that exist now, the main one included; 0 outside a run.
int num_goroutine() noexcept;

// Threads of the runtime that exist now: those that run goroutines, the one that called run() among them, and two that
// do not, the monitor and the one that makes threads. 0 outside a run.
int num_thread() noexcept;

// How many threads a run may have; 10 000 at first. Returns what it was before. Needing more is a fatal error: such a
// program makes threads without end, as by unlimited calls that block. Errors: std::invalid_argument for n < 1.
int set_max_threads(int n);

// Number of the calling goroutine, 1 for main, never used twice in a run; 0 on a thread that is no goroutine.
std::uint64_t goid() noexcept;

// Lets other goroutines run; the caller goes behind those that are queued on this P. On a thread that is no goroutine:
// sched_yield(2).
void gosched();

// Ends the calling goroutine: its destructors run, then it is gone. The main goroutine's end by goexit leaves the
// others running. A catch (...) that does not rethrow is a fatal error. Errors: std::logic_error on a thread that is no
// goroutine.
[[noreturn]] void goexit();

// Binds the goroutine to the thread it runs on, and the thread to it, until as many unlocks as locks. A goroutine that
// ends bound takes its thread with it. unlock without lock does nothing. No-ops on a thread that is no goroutine.
void lock_os_thread();
void unlock_os_thread();

// lock_os_thread() for a scope.
class os_thread_lock {
 public:
  os_thread_lock() { lock_os_thread(); }
  ~os_thread_lock() { unlock_os_thread(); }
  os_thread_lock(const os_thread_lock&) = delete;
  os_thread_lock& operator=(const os_thread_lock&) = delete;
};

// What the stack of a goroutine may use, in bytes: one that asks for more (spawn_options::stack_size) gets this,
// rounded up to a stack size that there is, and to use more ends the process with "stack overflow". Applies to
// goroutines that are started later with a stack size of their own. Returns what held before; at first there is no
// limit (SIZE_MAX). Thread-safety: any thread, also outside a run. Errors: std::invalid_argument for 0.
std::size_t set_max_stack(std::size_t bytes);

// What the calling goroutine does, or all goroutines do, in Go's text: `goroutine N [state]:`, the frames, and who
// created it; the caller first, the others by number. The state says what a goroutine waits on, for how many minutes,
// and whether it is bound to a thread. Files and lines are known where the program has debug information and pirn was
// built with libbacktrace. Empty for one that is no goroutine, or outside a run. Parks: not, but lets other goroutines
// run. With `all` the scheduler stands still for a fraction of a millisecond at a time; each goroutine is shown as it
// was at one instant, not all at the same. Threads that run goroutines are sent SIGURG, but not those that sleep in a
// system call. Thread-safety: any thread. Errors: std::bad_alloc.
std::string stack(bool all = false);

// "pirn" and the version, such as "pirn0.1.0".
const char* version() noexcept;

namespace detail {
// Whether there was something to begin: not on foreign threads, nor inside another section.
bool begin_blocking();
void end_blocking() noexcept;
}  // namespace detail

// Calls f() on this thread and lets other goroutines have its P meanwhile, as around a system call that blocks: the P
// is taken when f lasts over 20 us and somebody has use for it, so a short f costs some nanoseconds. Returns what f
// returns; exceptions pass. Calls into pirn from inside f work. Elsewhere than on a goroutine just f().
template <class F>
decltype(auto) blocking(F&& f) {
  struct section {
    bool begun = detail::begin_blocking();
    ~section() {
      if (begun) detail::end_blocking();
    }
  } s;
  return std::forward<F>(f)();
}

}  // namespace pirn::runtime
