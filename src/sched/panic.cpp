// Panics: exceptions that nobody takes. Layer: sched. The shape is that of Go's reports.
#include "sched/panic.h"

#include <cxxabi.h>
#include <unwind.h>

#include <cstdlib>
#include <exception>
#include <string>
#include <typeinfo>

#include "os/fatal.h"
#include "sched/reports.h"

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
  begin_report();
  write_stderr(text);
  write_panic_stacks();
  exit_after_report();
}

}  // namespace pirn::rt

// The unwinder asks each frame whether it takes an exception, before any frame is left. When it asks the first frame of
// a goroutine nobody does, and the stack is still that of the throw.
extern "C" [[gnu::used, gnu::visibility("hidden")]] _Unwind_Reason_Code pirn_goroutine_personality(
    int, _Unwind_Action actions, _Unwind_Exception_Class, _Unwind_Exception* exception, _Unwind_Context*) {
  if ((actions & _UA_SEARCH_PHASE) == 0) return _URC_CONTINUE_UNWIND;  // goexit
  abi::__cxa_begin_catch(exception);
  pirn::rt::panic_with_current_exception();
}
