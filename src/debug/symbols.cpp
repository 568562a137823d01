// Names of addresses, by libbacktrace or by dladdr. Layer: debug. Contract: debug/symbols.h.
#include "debug/symbols.h"

#include <cxxabi.h>
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "os/futex.h"
#include "os/sanitizer.h"

#ifdef PIRN_HAVE_LIBBACKTRACE
// The library's own copy, under names that cannot meet another one's.
#define backtrace_create_state pirn_backtrace_create_state
#define backtrace_pcinfo pirn_backtrace_pcinfo
#define backtrace_syminfo pirn_backtrace_syminfo
#include <backtrace.h>
#endif

namespace pirn::rt {

namespace {

[[maybe_unused]] bool is_mangled(const char* symbol) noexcept { return symbol[0] == '_' && symbol[1] == 'Z'; }

// A demangled name; the mangled one where there is none.
class plain_name {
 public:
  explicit plain_name(const char* symbol) noexcept : symbol_(symbol) {
    if (symbol == nullptr || !is_mangled(symbol)) return;
    int status = 0;
    text_ = abi::__cxa_demangle(symbol, nullptr, nullptr, &status);
  }
  plain_name(const plain_name&) = delete;
  plain_name& operator=(const plain_name&) = delete;
  ~plain_name() { std::free(text_); }
  const char* get() const noexcept { return text_ != nullptr ? text_ : symbol_ != nullptr ? symbol_ : "?"; }

 private:
  const char* symbol_;
  char* text_ = nullptr;
};

struct receiver {
  void (*f)(void*, const code_place&);
  void* arg;
};

void tell(const receiver& to, const char* symbol, const char* file, int line, bool inlined) {
  const plain_name name(symbol);
  to.f(to.arg, {symbol, name.get(), file, line, inlined});
}

// What the dynamic linker knows.
void tell_dynamic_symbol(std::uintptr_t pc, const char* symbol, const receiver& to) {
  Dl_info info{};
  const bool known = dladdr(reinterpret_cast<void*>(pc), &info) != 0;
  const char* file = known && info.dli_fname != nullptr ? info.dli_fname : "?";
  tell(to, symbol != nullptr ? symbol : known ? info.dli_sname : nullptr, file, 0, false);
}

#ifdef PIRN_HAVE_LIBBACKTRACE

void ignore_error(void*, const char*, int) {}

// Made once and never freed, as the library knows no other way. Two threads may both make one.
backtrace_state* tables() noexcept {
  static std::atomic<backtrace_state*> state{nullptr};
  backtrace_state* made = state.load(std::memory_order_acquire);
  if (made != nullptr) return made;
  made = backtrace_create_state(nullptr, 1, ignore_error, nullptr);
  state.store(made, std::memory_order_release);
  return made;
}

// The places of one address come innermost first; the last one is the function itself, the others were inlined.
struct places {
  const receiver& to;
  bool any = false;
  const char* symbol = nullptr;
  const char* file = nullptr;
  int line = 0;

  void flush(bool inlined) {
    if (any) tell(to, symbol, file, line, inlined);
  }
};

int take_place(void* arg, std::uintptr_t, const char* file, int line, const char* symbol) {
  auto& p = *static_cast<places*>(arg);
  if (file == nullptr || symbol == nullptr) return 0;
  p.flush(true);
  p.any = true;
  p.symbol = symbol;
  p.file = file;
  p.line = line;
  return 0;
}

void take_symbol(void* arg, std::uintptr_t, const char* symbol, std::uintptr_t, std::uintptr_t) {
  *static_cast<const char**>(arg) = symbol;
}

#endif

}  // namespace

#ifdef PIRN_HAVE_LIBBACKTRACE

void for_each_place(std::uintptr_t pc, void (*f)(void*, const code_place&), void* arg) {
#ifdef PIRN_TSAN
  // The library's own protocol is not known to it, while the memory that it uses again is.
  static thread_mutex one_at_a_time;
  const std::lock_guard hold(one_at_a_time);
  happens_after(&one_at_a_time);
  const struct at_end {
    ~at_end() { happens_before(&one_at_a_time); }
  } at_end;
#endif
  const receiver to{f, arg};
  backtrace_state* state = tables();
  const char* symbol = nullptr;
  if (state != nullptr) {
    places found{to};
    backtrace_pcinfo(state, pc, take_place, ignore_error, &found);
    // Local functions and lambdas have their plain names there; the symbol table has all of it.
    if (!found.any || !is_mangled(found.symbol)) backtrace_syminfo(state, pc, take_symbol, ignore_error, &symbol);
    if (found.any) {
      if (symbol != nullptr) found.symbol = symbol;
      found.flush(false);
      return;
    }
  }
  tell_dynamic_symbol(pc, symbol, to);
}

bool knows_lines() noexcept { return true; }

#else

void for_each_place(std::uintptr_t pc, void (*f)(void*, const code_place&), void* arg) {
  tell_dynamic_symbol(pc, nullptr, {f, arg});
}

bool knows_lines() noexcept { return false; }

#endif

}  // namespace pirn::rt
