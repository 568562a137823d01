// Starting the runtime and goroutines: run, go, spawn, scope.
#pragma once

#include <cxxabi.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "pirn/detail/one_shot.h"
#include "pirn/detail/start.h"
#include "pirn/scope.h"

namespace pirn {

// What becomes of the other goroutines when the main one returns.
enum class at_exit {
  abandon,  // none of them runs again; their stacks are freed without unwinding (as in Go)
  unwind,   // those that are parked are unwound by force, so that destructors run
  wait,     // run() returns when all have ended
};

struct config {
  // How many goroutines run at once. 0: the GOMAXPROCS environment variable, else the CPUs in the affinity mask, or
  // fewer under a CPU quota: that of the tightest control group around the process, rounded up to whole CPUs.
  int gomaxprocs = 0;
  // Bytes of stack each goroutine can use, up to 8 MiB. 0: 192 KiB.
  std::size_t stack_size = 0;
  // The same for the main goroutine, any size.
  std::size_t main_stack_size = 0;
  // Binds the main goroutine to the thread that calls run(), as lock_os_thread() would.
  bool lock_main_thread = false;
  pirn::at_exit at_exit = pirn::at_exit::abandon;
  // How long run() waits for threads that are busy in user code (and for unwinding) before it returns without them.
  std::chrono::nanoseconds shutdown_grace = std::chrono::seconds(1);
  // The signal by which a goroutine that computes for 10 ms while others wait is stopped on its thread until its next
  // turn. 0: SIGURG, which programs hardly use; a handler that the program sets for it is called for what is not ours.
  // Negative: none; then a goroutine that computes keeps its P until its next call into pirn. The environment variable
  // PIRN_DEBUG, or GODEBUG, goes before: asyncpreemptoff=1, preemptsignal=N.
  int preempt_signal = 0;
};

// For one goroutine. Any stack size works; 0 takes the run's default.
struct spawn_options {
  std::string name;
  std::size_t stack_size = 0;
};

namespace detail {

template <class F>
struct main_call {
  F& f;
  int result = 0;
  std::exception_ptr error;

  PIRN_DETAIL_CATCHES_FORCED_UNWIND static void call(void* self) {
    auto& m = *static_cast<main_call*>(self);
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
        std::invoke(m.f);
      } else {
        m.result = static_cast<int>(std::invoke(m.f));
      }
    } catch (abi::__forced_unwind&) {
      throw;
    } catch (...) {
      m.error = std::current_exception();
    }
  }
};

}  // namespace detail

// Starts the runtime, runs f as the main goroutine (number 1) on a goroutine stack, and returns its int (0 for void)
// when it returns; the other goroutines then go the way of cfg.at_exit. An exception that leaves f leaves run().
// Threads, memory and descriptors are given back; it can be called again.
// Errors: std::logic_error when a run is under way; std::invalid_argument for values out of range;
// std::system_error without memory.
template <class F>
int run(const config& cfg, F&& f) {
  detail::main_call<std::remove_reference_t<F>> m{f, 0, nullptr};
  detail::run({cfg.gomaxprocs, cfg.stack_size, cfg.main_stack_size, cfg.lock_main_thread, static_cast<int>(cfg.at_exit),
               cfg.shutdown_grace.count(), cfg.preempt_signal},
              &m.call, &m);
  if (m.error) std::rethrow_exception(m.error);
  return m.result;
}

template <class F>
  requires std::is_invocable_v<std::remove_reference_t<F>&>
int run(F&& f) {
  return run(config{}, std::forward<F>(f));
}

// Starts a goroutine that calls f(args...), all decayed and moved as std::thread does. An exception that leaves it ends
// the process as a Go panic does.
// Blocks: never. Thread-safety: any thread while a run is under way. Cost: tens of nanoseconds; no stack until it runs.
// Errors: std::logic_error outside a run; std::system_error without memory; what copying f or args throws.
template <class F, class... Args>
  requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>
PIRN_DETAIL_NAMES_CALLER void go(F&& f, Args&&... args) {
  detail::check_callable<std::decay_t<F>>(f);
  detail::new_goroutine g;
  if constexpr (sizeof...(Args) == 0) {
    detail::closure_ops<std::decay_t<F>>::put(g.slot(), std::forward<F>(f));
  } else {
    detail::closure_ops<detail::bound_call_t<F, Args...>>::put(g.slot(), std::forward<F>(f),
                                                               std::forward<Args>(args)...);
  }
  g.start();
}

template <class F, class... Args>
  requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>
PIRN_DETAIL_NAMES_CALLER void go(const spawn_options& options, F&& f, Args&&... args) {
  detail::check_callable<std::decay_t<F>>(f);
  detail::new_goroutine g(options.stack_size, options.name);
  detail::closure_ops<detail::bound_call_t<F, Args...>>::put(g.slot(), std::forward<F>(f), std::forward<Args>(args)...);
  g.start();
}

// What join_handle::get() throws for a goroutine that ended by goexit().
class goroutine_exited : public std::runtime_error {
 public:
  goroutine_exited() : std::runtime_error("goroutine exited by goexit") {}
};

namespace detail {

struct nothing {};

// Shared by a goroutine and its handle; freed by whichever ends last.
template <class T>
struct join_state {
  one_shot done;
  // Written by the goroutine before done, then owned by the handle.
  std::exception_ptr error;
  bool exited = false;
  std::optional<std::conditional_t<std::is_void_v<T>, nothing, T>> value;

  static void* operator new(std::size_t bytes) {
    if constexpr (fits_a_block()) return new_join_block();
    return ::operator new(bytes, std::align_val_t{alignof(join_state)});
  }
  static void operator delete(void* p) noexcept {
    if constexpr (fits_a_block()) return delete_join_block(p);
    ::operator delete(p, std::align_val_t{alignof(join_state)});
  }
  static constexpr bool fits_a_block() noexcept {
    return sizeof(join_state) <= k_join_bytes && alignof(join_state) <= alignof(std::max_align_t);
  }

  // The goroutine's side.
  void finish() noexcept {
    if (done.set()) end();
  }
  // The handle's side.
  void drop() noexcept {
    if (done.drop()) end();
  }
  // By whoever is left. An exception that nobody can take any more is a panic.
  void end() noexcept {
    if (error) report();
    delete this;
  }

  [[noreturn]] void report() noexcept {
    try {
      std::rethrow_exception(error);
    } catch (...) {
      panic_with_current_exception();
    }
  }
};

// Whoever waits may rely on the callable and its captures being gone, so they go before the end is announced.
template <class T, class Call>
struct spawned {
  join_state<T>* state;
  std::optional<Call> call;

  template <class... A>
  explicit spawned(join_state<T>* s, A&&... a) : state(s), call(std::in_place, std::forward<A>(a)...) {}
  spawned(const spawned&) = delete;
  spawned& operator=(const spawned&) = delete;
  // Still with a state: it never ran, or goexit unwinds it. Nobody may wait for it for ever.
  ~spawned() {
    if (state == nullptr) return;
    call.reset();
    state->exited = true;
    state->finish();
  }

  PIRN_DETAIL_CATCHES_FORCED_UNWIND void operator()() {
    try {
      if constexpr (std::is_void_v<T>) {
        (*call)();
        state->value.emplace();
      } else {
        state->value.emplace((*call)());
      }
    } catch (abi::__forced_unwind&) {
      throw;
    } catch (...) {
      state->error = std::current_exception();
    }
    call.reset();
    std::exchange(state, nullptr)->finish();
  }
};

}  // namespace detail

// The other end of a spawned goroutine. Movable; dropping it detaches the goroutine.
// Thread-safety: one thread or goroutine at a time.
template <class T>
class join_handle {
 public:
  join_handle() noexcept = default;
  explicit join_handle(detail::join_state<T>* state) noexcept : state_(state) {}
  join_handle(join_handle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  join_handle& operator=(join_handle&& other) noexcept {
    join_handle(std::move(other)).swap(*this);
    return *this;
  }
  ~join_handle() {
    if (state_ != nullptr) state_->drop();
  }
  void swap(join_handle& other) noexcept { std::swap(state_, other.state_); }

  // False after get(), a move, or for a default-constructed handle.
  bool valid() const noexcept { return state_ != nullptr; }
  // Whether the goroutine has ended.
  bool ready() const { return checked().done.is_set(); }
  // Parks until the goroutine has ended. Errors: std::future_error (no_state) when not valid().
  void join() { checked().done.wait(); }
  // The same until ctx ends: then its error, and the goroutine goes on. An error at once when it has ended already.
  [[nodiscard]] std::error_code join(const context& ctx) { return checked().done.wait(ctx); }
  // Parks until it has ended; gives its value or rethrows what left it, once.
  // Errors: goroutine_exited after goexit(); std::future_error (no_state) when not valid().
  T get() {
    detail::join_state<T>& s = checked();
    s.done.wait();
    struct destroyer {
      detail::join_state<T>* s;
      ~destroyer() { delete s; }
    } at_end{std::exchange(state_, nullptr)};
    if (s.error) std::rethrow_exception(std::exchange(s.error, nullptr));
    if (s.exited) throw goroutine_exited();
    if constexpr (!std::is_void_v<T>) return std::move(*s.value);
  }

 private:
  detail::join_state<T>& checked() const {
    if (state_ == nullptr) detail::throw_no_state();
    return *state_;
  }
  detail::join_state<T>* state_ = nullptr;
};

namespace detail {

template <class F, class... Args>
PIRN_DETAIL_NAMES_CALLER auto spawn_in(new_goroutine& g, F&& f, Args&&... args) {
  check_callable<std::decay_t<F>>(f);
  using call = bound_call_t<F, Args...>;
  using result = std::decay_t<std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>>;
  auto* state = new join_state<result>;
  try {
    closure_ops<spawned<result, call>>::put(g.slot(), state, std::forward<F>(f), std::forward<Args>(args)...);
  } catch (...) {
    delete state;
    throw;
  }
  join_handle<result> handle(state);
  g.start();
  return handle;
}

}  // namespace detail

// As go(), with a handle to wait for the goroutine and take its result.
template <class F, class... Args>
  requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>
[[nodiscard]] PIRN_DETAIL_NAMES_CALLER auto spawn(F&& f, Args&&... args) {
  detail::new_goroutine g;
  return detail::spawn_in(g, std::forward<F>(f), std::forward<Args>(args)...);
}

template <class F, class... Args>
  requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>
[[nodiscard]] PIRN_DETAIL_NAMES_CALLER auto spawn(const spawn_options& options, F&& f, Args&&... args) {
  detail::new_goroutine g(options.stack_size, options.name);
  return detail::spawn_in(g, std::forward<F>(f), std::forward<Args>(args)...);
}

}  // namespace pirn
