// A goroutine writes a variable under a mutex, then waits on a condition variable, which gives the mutex back once it
// has parked. Another, mostly the one that runs next on the same thread, writes the variable too, with the mutex or,
// PLANTED, without: only whoever took the mutex comes after what the waiting one wrote.
#include <pirn/pirn.h>

#include <cstdlib>
#include <mutex>

int main(int, char** argv) {
  pirn::config c;
  c.gomaxprocs = std::atoi(argv[1]);
  return pirn::run(c, [] {
    constexpr int k_turns = 20;  // few: each switch goes straight from one of the two to the other
    int shared = 0;
    bool given = false;
    pirn::mutex m;
    pirn::condition_variable changed;
    pirn::wait_group wg;
    wg.go([&] {
      std::unique_lock hold(m);
      for (int i = 0; i < k_turns; ++i) {
        ++shared;
        given = true;
        changed.notify_one();
        changed.wait(hold, [&] { return !given; });
      }
    });
    wg.go([&] {
      for (int i = 0; i < k_turns; ++i) {
        {
          std::unique_lock hold(m);
          changed.wait(hold, [&] { return given; });
          given = false;
          changed.notify_one();
        }
        pirn::runtime::gosched();
#if !defined(PLANTED)
        const std::scoped_lock hold(m);
#endif
        ++shared;
      }
    });
    wg.wait();
    return 0;
  });
}
