// What every test of the public interface shares: starting a runtime of a given size, waiting for the other
// goroutines without sleeping, and scaling loops down where a sanitizer makes each step dearer.
//
// Layer: tests. Uses public headers only.
// Invariant: run_on() leaves only when the main goroutine is the last one, so every test that uses it is a leak test.
#pragma once

#include <gtest/gtest.h>
#include <pirn/pirn.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace pirn_test {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool k_tsan = true;
#else
inline constexpr bool k_tsan = false;
#endif
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool k_asan = true;
#else
inline constexpr bool k_asan = false;
#endif

// n loop steps, or fewer where each costs an order of magnitude more. TSan also limits how many goroutines may hold
// a stack at once (about 8000 fibers), which a tenth of every count used here respects.
constexpr int scaled(int n) { return k_tsan ? (n + 9) / 10 : k_asan ? (n + 3) / 4 : n; }

inline pirn::config with_procs(int n) {
  pirn::config c;
  c.gomaxprocs = n;
  return c;
}

// Lets every goroutine that can run do so, several times over. On one P, goroutines that were just started are then
// parked where they wait; on more it only makes that likely, and no test may depend on it there.
inline void let_others_run(int rounds = 100) {
  for (int i = 0; i < rounds; ++i) pirn::runtime::gosched();
}

// Yields until `holds()`. A condition that never comes true is a hang, which CTest's TIMEOUT turns into a failure.
template <class Predicate>
void yield_until(Predicate holds) {
  while (!holds()) pirn::runtime::gosched();
}

// The same for a thread that is no goroutine.
template <class Predicate>
void spin_until(Predicate holds) {
  while (!holds()) std::this_thread::yield();
}

// Whether the runtime makes odd decisions on purpose (src/os/chaos.h).
inline bool under_chaos() {
  const char* settings = std::getenv("PIRN_DEBUG");
  return settings != nullptr && std::string(settings).find("chaos=") != std::string::npos;
}

// Waits until the caller is the only goroutine; a leaked one is reported rather than waited for to the end of time.
inline void expect_no_other_goroutine() {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (pirn::runtime::num_goroutine() > 1) {
    if (std::chrono::steady_clock::now() > give_up) {
      ADD_FAILURE() << pirn::runtime::num_goroutine() - 1 << " goroutines are left over";
      return;
    }
    pirn::runtime::gosched();
  }
}

// Runs f as the main goroutine on n Ps and expects that it leaves no goroutine behind.
template <class F>
void run_on(int n, F f) {
  pirn::run(with_procs(n), [&] {
    f();
    if (!testing::Test::HasFatalFailure()) expect_no_other_goroutine();
  });
}

// Runs f on n Ps; what it leaves behind is abandoned. Channels that such goroutines wait on must outlive the run.
template <class F>
void run_and_abandon(int n, F f) {
  pirn::run(with_procs(n), [&] { f(); });
}

// Joins a thread without keeping the P from the goroutines that this thread may be waiting for.
inline void join(std::thread& t) {
  pirn::runtime::blocking([&t] { t.join(); });
}

// Base of the tests that run once per number of Ps.
class on_procs : public testing::TestWithParam<int> {
 protected:
  template <class F>
  void run(F f) {
    run_on(GetParam(), std::move(f));
  }
};

inline std::string procs_name(const testing::TestParamInfo<int>& info) {
  return std::to_string(info.param) + (info.param == 1 ? "_proc" : "_procs");
}

// Counts how often it was destroyed while owning a count; a moved-from one no longer does.
class tell_when_destroyed {
 public:
  explicit tell_when_destroyed(std::atomic<int>& count) : count_(&count) {}
  tell_when_destroyed(tell_when_destroyed&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  tell_when_destroyed& operator=(tell_when_destroyed&&) = delete;
  ~tell_when_destroyed() {
    if (count_ != nullptr) count_->fetch_add(1);
  }

 private:
  std::atomic<int>* count_;
};

}  // namespace pirn_test

#define PIRN_TEST_ON_PROCS(fixture) \
  INSTANTIATE_TEST_SUITE_P(, fixture, ::testing::Values(1, 2, 4), ::pirn_test::procs_name)
