// Starts and stops the threads under Boost.Fiber's schedulers. Contract: bench/boost_fiber/fibers.h.
#include "fibers.h"

#include <malloc.h>

#include <barrier>
#include <exception>
#include <limits>
#include <optional>
#include <thread>
#include <vector>

namespace pirn_bench {
namespace {

namespace fibers = boost::fibers;

// Threads that do nothing but run whatever fibers they can get.
class helpers {
 public:
  explicit helpers(int threads) : registered_(threads) {
    for (int i = 1; i < threads; ++i) {
      threads_.emplace_back([this, threads] {
        join_scheduler(threads);
        std::unique_lock lock(mutex_);
        ended_.wait(lock, [this] { return end_; });
      });
    }
    join_scheduler(threads);
  }
  helpers(const helpers&) = delete;
  helpers& operator=(const helpers&) = delete;
  ~helpers() {
    {
      const std::lock_guard lock(mutex_);
      end_ = true;
    }
    ended_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void join_scheduler(int threads) {
    if (threads > 1) fibers::use_scheduling_algorithm<fibers::algo::shared_work>();
    registered_.arrive_and_wait();
  }

  std::barrier<> registered_;
  fibers::mutex mutex_;
  fibers::condition_variable ended_;
  bool end_ = false;
  std::vector<std::thread> threads_;
};

std::optional<helpers> running;

}  // namespace

stack_sources& stacks() {
  static stack_sources sources;
  return sources;
}

void run_inside(int threads, const std::function<void()>& body) {
  if (!running) {
    stacks().one_thread = threads == 1;
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    running.emplace(threads);
  }
  std::exception_ptr failure;
  // Not in the thread's own first fiber, which may not change threads.
  start([&] {
    try {
      body();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

void stop_threads() { running.reset(); }

}  // namespace pirn_bench
