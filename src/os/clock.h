// The runtime's clock: CLOCK_MONOTONIC in nanoseconds. Layer: os.
#pragma once

#include <time.h>

#include <cstdint>

namespace pirn::rt {

inline std::int64_t now_ns() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

}  // namespace pirn::rt
