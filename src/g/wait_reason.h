// Why a goroutine waits, and how it is taken off what it waits on. Layer: g.
#pragma once

namespace pirn::rt {

struct goroutine;

// One static object per way to park; a goroutine that waits points at it. The texts are Go's.
struct park_kind {
  const char* reason;
  // Takes a parked goroutine off every queue it stands in, so that its stack may be freed or it may be made runnable;
  // false when a foreign thread was faster and has it in its hands. `object` is what was given to park(). Called when
  // run() ends and no goroutine runs any more; foreign threads may. Null: it stands in no queue but a timer heap.
  bool (*unlink)(goroutine* g, void* object) noexcept;
  // What it waits for comes from outside the process, so that waiting for it is never a deadlock.
  bool outside = false;
};

}  // namespace pirn::rt
