// What an address in code is called: function, file, line. Layer: debug.
//
// By libbacktrace, GCC's own reader of DWARF, where the build found it; else by the dynamic symbols, which know
// exported functions and no lines. Reading the tables for the first time takes a while; nothing is read before it is
// needed.
#pragma once

#include <cstdint>

namespace pirn::rt {

struct code_place {
  const char* symbol = nullptr;    // as the linker knows it; null: not known
  const char* function = nullptr;  // as the programmer knows it; never null
  const char* file = nullptr;      // the source file, or the loaded object where lines are not known; never null
  int line = 0;
  bool inlined = false;  // into the place that follows
};

// Calls f(place) for the function that `pc` lies in, after those that were inlined there, innermost first. The texts
// live as long as the call. At least one call is made.
void for_each_place(std::uintptr_t pc, void (*f)(void* arg, const code_place& place), void* arg);

template <class F>
void for_each_place(std::uintptr_t pc, F&& f) {
  for_each_place(
      pc, [](void* arg, const code_place& place) { (*static_cast<F*>(arg))(place); }, &f);
}

// Whether lines can be had.
bool knows_lines() noexcept;

}  // namespace pirn::rt
