// Where a new goroutine's callable and arguments wait until it runs. Internal to the headers.
// Layer: os.
#pragma once

#include <cstddef>
#include <functional>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

#if defined(__SANITIZE_THREAD__)
#define PIRN_DETAIL_THREAD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PIRN_DETAIL_THREAD_SANITIZED 1
#endif
#endif

namespace pirn::detail {

enum class closure_op { run_and_destroy, destroy };

// One indirect call runs the closure and destroys it, or only destroys it. Closures up to k_inline bytes lie in the
// goroutine itself, larger ones on the heap.
struct closure_slot {
  static constexpr std::size_t k_inline = 48;
  void (*manage)(closure_slot&, closure_op) = nullptr;
  alignas(16) std::byte storage[k_inline];
};

#ifdef PIRN_DETAIL_THREAD_SANITIZED
// Slots are reused by unrelated goroutines, which the race detector would take for races; the heap it knows about. The
// slot itself is then touched only by code that is not instrumented.
template <class Closure>
inline constexpr bool fits_inline = false;
#define PIRN_DETAIL_SLOT_ACCESS __attribute__((no_sanitize("thread"), noinline))
#else
template <class Closure>
inline constexpr bool fits_inline = sizeof(Closure) <= closure_slot::k_inline && alignof(Closure) <= 16;
#define PIRN_DETAIL_SLOT_ACCESS
#endif

template <class Closure>
struct closure_ops {
  PIRN_DETAIL_SLOT_ACCESS static Closure* get(closure_slot& slot) noexcept {
    if constexpr (fits_inline<Closure>) {
      return std::launder(reinterpret_cast<Closure*>(slot.storage));
    } else {
      return *std::launder(reinterpret_cast<Closure**>(slot.storage));
    }
  }

  struct destroyer {
    Closure* c;
    ~destroyer() {
      if constexpr (fits_inline<Closure>) {
        c->~Closure();
      } else {
        delete c;
      }
    }
  };

  static void manage(closure_slot& slot, closure_op op) {
    destroyer at_end{get(slot)};
    if (op == closure_op::run_and_destroy) (*at_end.c)();
  }

  PIRN_DETAIL_SLOT_ACCESS static void set(closure_slot& slot, [[maybe_unused]] Closure* on_heap) noexcept {
    if constexpr (!fits_inline<Closure>) ::new (static_cast<void*>(slot.storage)) Closure*(on_heap);
    slot.manage = &manage;
  }

  // May throw what Closure's construction throws; the slot is then unused.
  template <class... A>
  static void put(closure_slot& slot, A&&... args) {
    if constexpr (fits_inline<Closure>) {
      ::new (static_cast<void*>(slot.storage)) Closure(std::forward<A>(args)...);
      set(slot, nullptr);
    } else {
      set(slot, new Closure(std::forward<A>(args)...));
    }
  }
};

// A callable with its arguments, decayed as std::thread does; called once, as rvalues.
template <class F, class... Args>
struct bound_call {
  F f;
  [[no_unique_address]] std::tuple<Args...> args;

  template <class G, class... A>
  explicit bound_call(G&& g, A&&... a) : f(std::forward<G>(g)), args(std::forward<A>(a)...) {}

  decltype(auto) operator()() {
    return std::apply([this](Args&... a) -> decltype(auto) { return std::invoke(std::move(f), std::move(a)...); },
                      args);
  }
};

template <class F, class... Args>
using bound_call_t = bound_call<std::decay_t<F>, std::decay_t<Args>...>;

}  // namespace pirn::detail
