// Watches how many threads this process has while its program goes on.
// Layer: lab/support. A thread of its own does, which is not counted, so that the runtime is left undisturbed.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "support/proc_files.h"

namespace lab {

// Looks every millisecond, from its construction, or the last restart(), to its end.
class thread_watch {
 public:
  struct range {
    long least;
    long most;
  };

  thread_watch() {
    restart();
    watcher_ = std::thread([this] {
      while (!over_.load(std::memory_order_relaxed)) {
        look();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  ~thread_watch() {
    over_.store(true, std::memory_order_relaxed);
    watcher_.join();
  }
  thread_watch(const thread_watch&) = delete;
  thread_watch& operator=(const thread_watch&) = delete;

  // Forgets what was seen so far.
  void restart() {
    const std::lock_guard lock(mutex_);
    const long now = others();
    seen_ = {now, now};
  }
  range seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  long others() const { return own_status("Threads") - (watcher_.joinable() ? 1 : 0); }
  void look() {
    const std::lock_guard lock(mutex_);
    const long now = own_status("Threads") - 1;
    seen_ = {std::min(seen_.least, now), std::max(seen_.most, now)};
  }

  std::atomic<bool> over_{false};
  mutable std::mutex mutex_;
  range seen_{};
  std::thread watcher_;
};

}  // namespace lab
