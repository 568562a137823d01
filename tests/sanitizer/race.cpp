// Two goroutines write one variable; without PLANTED a mutex orders them. On one P they never run at the same instant,
// and it is a race all the same: a switch between goroutines orders nothing.
#include <pirn/pirn.h>

#include <cstdlib>
#include <mutex>

int main(int, char** argv) {
  pirn::config c;
  c.gomaxprocs = std::atoi(argv[1]);
  return pirn::run(c, [] {
    int shared = 0;
    pirn::mutex m;
    const auto write = [&] {
      for (int i = 0; i < 1000; ++i) {
        {
#if !defined(PLANTED)
          std::scoped_lock hold(m);
#endif
          ++shared;
        }
        pirn::runtime::gosched();
      }
    };
    pirn::wait_group wg;
    wg.go(write);
    wg.go(write);
    wg.wait();
    return 0;
  });
}
