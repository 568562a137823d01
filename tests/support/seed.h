// The seed of a randomised test: PIRN_TEST_SEED where it is set, else a new one; printed, so that a failure can be run
// again. Layer: tests.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace pirn_test {

inline std::uint64_t test_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("PIRN_TEST_SEED");
    const std::uint64_t s = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::printf("PIRN_TEST_SEED=%llu\n", static_cast<unsigned long long>(s));
    std::fflush(stdout);
    return s;
  }();
  return seed;
}

// A generator of its own for each of several users of one seed.
inline std::mt19937 random_for(std::uint64_t user) {
  const std::uint64_t s = test_seed();
  std::seed_seq mixed{static_cast<std::uint32_t>(s), static_cast<std::uint32_t>(s >> 32),
                      static_cast<std::uint32_t>(user)};
  return std::mt19937(mixed);
}

}  // namespace pirn_test
