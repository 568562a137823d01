// A process that is forked while a run is under way. Layer: sched.
//
// The child has the forking thread and no other: none that makes threads, keeps the time or holds the other Ps, and
// what the others held stays held. So it may exec or _exit, as POSIX has it for the child of any process with threads;
// a call into the runtime would wait for ever, and is a fatal error instead. It costs nothing: the handler below leaves
// a reason in the attention word of the thread, which the next entry looks at anyway.
#include <pthread.h>

#include <atomic>

#include "sched/scheduler.h"

namespace pirn::rt {

namespace {

// In the child, on its only thread.
void in_child() {
  if (worker* w = this_worker()) {
    w->attention.fetch_or(k_attn_forked, std::memory_order_relaxed);
  } else {
    // A thread of the program's: outside of any run from here on, as it would be with nobody to serve it.
    the_scheduler.store(nullptr, std::memory_order_relaxed);
  }
}

}  // namespace

void watch_forks() {
  static const int error = pthread_atfork(nullptr, nullptr, in_child);
  static_cast<void>(error);  // no memory: a child that misbehaves hangs then, as it would without us
}

void die_in_forked_child() noexcept { fatal("fork in a goroutine: the child may only exec or _exit"); }

}  // namespace pirn::rt
