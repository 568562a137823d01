// Watches how many threads this process has, from a goroutine, while the program goes on.
// Layer: lab/support.
#pragma once

#include <pirn/pirn.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>

#include "support/proc_files.h"

namespace lab {

// Looks every millisecond, from its construction, or the last restart(), to its end.
class thread_watch {
 public:
  thread_watch() {
    ended_.go([this] {
      while (!over_.load(std::memory_order_relaxed)) {
        look();
        pirn::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  ~thread_watch() {
    over_.store(true, std::memory_order_relaxed);
    ended_.wait();
  }
  thread_watch(const thread_watch&) = delete;
  thread_watch& operator=(const thread_watch&) = delete;

  // Forgets what was seen so far.
  void restart() {
    const std::lock_guard lock(mutex_);
    most_ = least_ = own_status("Threads");
  }
  struct range {
    long least;
    long most;
  };
  range seen() const {
    const std::lock_guard lock(mutex_);
    return {least_, most_};
  }

 private:
  void look() {
    const std::lock_guard lock(mutex_);
    const long now = own_status("Threads");
    most_ = std::max(most_, now);
    least_ = std::min(least_, now);
  }

  std::atomic<bool> over_{false};
  mutable pirn::mutex mutex_;
  long most_ = own_status("Threads");
  long least_ = most_;
  pirn::wait_group ended_;
};

}  // namespace lab
