// Writing panics. Layer: sched. The shape is that of Go's reports.
#include "sched/panic.h"

#include <cxxabi.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <typeinfo>

#include "os/fatal.h"
#include "sched/entry.h"

namespace pirn::rt {

namespace {

std::string demangled(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string out = status == 0 && text != nullptr ? text : name;
  std::free(text);
  return out;
}

// Later lines of a text are set in by a tab, so that none can be taken for the report's own.
std::string indented(const char* text) {
  std::string out;
  for (; *text != '\0'; ++text) {
    out += *text;
    if (*text == '\n') out += '\t';
  }
  return out;
}

}  // namespace

void report_current_goroutine() noexcept {
  worker* w = this_worker();
  if (w == nullptr || w->current == nullptr) return;
  const goroutine* g = w->current;
  char line[256];
  int n = std::snprintf(line, sizeof line, "\ngoroutine %llu [running]:\n", static_cast<unsigned long long>(g->id));
  write_stderr({line, static_cast<std::size_t>(n)});
  if (g->creator_id == 0) return;
  Dl_info where{};
  const bool known = g->creator_pc != nullptr && dladdr(g->creator_pc, &where) != 0 && where.dli_sname != nullptr;
  write_stderr("created by ");
  if (known) {
    write_stderr(demangled(where.dli_sname));
  } else {
    n = std::snprintf(line, sizeof line, "%p", g->creator_pc);
    write_stderr({line, static_cast<std::size_t>(n)});
  }
  n = std::snprintf(line, sizeof line, " in goroutine %llu\n", static_cast<unsigned long long>(g->creator_id));
  write_stderr({line, static_cast<std::size_t>(n)});
}

void panic_with_current_exception() noexcept {
  std::string text = "panic: ";
  try {
    throw;
  } catch (const std::exception& e) {
    text += indented(e.what());
  } catch (const std::string& s) {
    text += indented(s.c_str());
  } catch (const char* s) {
    text += indented(s);
  } catch (...) {
    text += "exception";
  }
  if (const std::type_info* type = abi::__cxa_current_exception_type()) {
    text += "\n[type " + demangled(type->name()) + "]";
  }
  text += "\n";
  write_stderr(text);
  report_current_goroutine();
  exit_after_report();
}

}  // namespace pirn::rt
