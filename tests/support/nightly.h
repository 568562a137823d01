// How often a long test does its thing: a little in the ordinary suite, all of it in the nightly one, whose test
// entries set PIRN_TEST_NIGHTLY (tests/CMakeLists.txt). Layer: tests.
#pragma once

#include <cstdlib>

namespace pirn_test {

inline int times_for(int ordinary, int nightly) {
  return std::getenv("PIRN_TEST_NIGHTLY") != nullptr ? nightly : ordinary;
}

}  // namespace pirn_test
