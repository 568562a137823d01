// Workers that are bound to threads of their own and take native calls from one channel: so many threads and no more.
// Layer: lab/support.
#pragma once

#include <pirn/pirn.h>

#include <functional>
#include <utility>

namespace lab {

class pinned_pool {
 public:
  using job = std::function<void()>;

  // `first` is called by every worker before it takes jobs; the constructor returns when all have.
  explicit pinned_pool(int workers, const job& first = {}) {
    pirn::wait_group began;
    began.add(workers);
    for (int i = 0; i < workers; ++i) {
      ended_.go([this, &began, first] {
        const pirn::runtime::os_thread_lock pin;
        if (first) pirn::runtime::blocking(first);
        began.done();
        for (const job& one : jobs_) pirn::runtime::blocking(one);
      });
    }
    began.wait();
  }
  // Returns when all that was submitted is done.
  ~pinned_pool() {
    jobs_.close();
    ended_.wait();
  }
  pinned_pool(const pinned_pool&) = delete;
  pinned_pool& operator=(const pinned_pool&) = delete;

  // Parks while 1024 wait.
  void submit(job one) { jobs_.send(std::move(one)); }

 private:
  pirn::chan<job> jobs_{1024};
  pirn::wait_group ended_;
};

}  // namespace lab
