// Ending a goroutine from inside, destructors included. Layer: sched. As pthread_exit(3) does it in glibc: a forced
// unwind that no handler may end (Itanium C++ ABI, level I, _Unwind_ForcedUnwind).
#include <unwind.h>

#include <cstring>

#include "sched/entry.h"

namespace pirn::rt {

namespace {

void swallowed(_Unwind_Reason_Code, _Unwind_Exception*) {
  fatal("goexit: exception not rethrown (a catch (...) must rethrow it)");
}

// The unwinder asks at every frame; the last one of a goroutine is marked as the end of the stack.
_Unwind_Reason_Code stop_at_end(int, _Unwind_Action actions, _Unwind_Exception_Class, _Unwind_Exception* exception,
                                _Unwind_Context*, void*) {
  if ((actions & _UA_END_OF_STACK) != 0) {
    delete exception;
    finish_current();
  }
  return _URC_NO_REASON;
}

}  // namespace

void unwind_current() {
  this_worker()->current->flags |= k_g_leaving;
  // Not on this stack: the destructors of outer frames run where this frame lies.
  auto* exception = new _Unwind_Exception;
  std::memset(exception, 0, sizeof *exception);
  exception->exception_cleanup = swallowed;
#ifdef PIRN_ASAN
  __asan_handle_no_return();  // this way of leaving frames is one that it does not intercept
#endif
  _Unwind_ForcedUnwind(exception, stop_at_end, nullptr);
  fatal("goexit: the unwinder came back");
}

}  // namespace pirn::rt
