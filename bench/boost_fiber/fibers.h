// How this bench uses Boost.Fiber: its scheduler, its stacks, its launch policy, the quickest of those that it offers
// (bench/README.md says what was tried).
// Layer: bench; knows nothing of pirn.
#pragma once

#include <boost/fiber/all.hpp>
#include <functional>
#include <memory>
#include <utility>

namespace pirn_bench {

// The stack is mapped as far as it is touched, so its size costs addresses only.
inline constexpr std::size_t k_stack_size = 16 * 1024;

// One thread: stacks from Boost's pool. More: the pool is not made for threads, so they come from malloc, which is
// told to keep what it has.
struct stack_sources {
  boost::fibers::pooled_fixedsize_stack pooled{k_stack_size};
  boost::fibers::fixedsize_stack plain{k_stack_size};
  bool one_thread = true;
};
stack_sources& stacks();

// The child runs at once and its parent is queued, as in Boost's own benchmarks.
template <class F>
boost::fibers::fiber start(F&& f) {
  stack_sources& from = stacks();
  constexpr auto k_policy = boost::fibers::launch::dispatch;
  if (from.one_thread) return {k_policy, std::allocator_arg, from.pooled, std::forward<F>(f)};
  return {k_policy, std::allocator_arg, from.plain, std::forward<F>(f)};
}

// Runs body in a fiber with that many threads under the scheduler; the threads stay until stop_threads. A process has
// one number of threads.
void run_inside(int threads, const std::function<void()>& body);
void stop_threads();

}  // namespace pirn_bench
