// Memory that ThreadSanitizer is not told of, for the scheduler's own objects. Layer: os.
//
// They are written by layers that are not instrumented and read, in small inline functions, by layers that are; what
// orders those is the protocol of sched/entry.h, which the detector cannot see. So it must not see the allocation
// either. In ordinary builds this is nothing.
#pragma once

#include <cstddef>
#include <new>

#include "os/base.h"

namespace pirn::rt {

#ifdef PIRN_TSAN

struct untracked {
  static void* operator new(std::size_t bytes);
  static void* operator new(std::size_t bytes, std::align_val_t) { return operator new(bytes); }
  static void operator delete(void* p, std::size_t bytes) noexcept;
  static void operator delete(void* p, std::size_t bytes, std::align_val_t) noexcept { operator delete(p, bytes); }
};

#else

struct untracked {};

#endif

}  // namespace pirn::rt
