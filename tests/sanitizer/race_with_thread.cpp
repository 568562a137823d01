// A goroutine and a plain thread write one variable; without PLANTED they take turns over a channel.
#include <pirn/pirn.h>

#include <cstdlib>
#include <thread>

int main(int, char** argv) {
  pirn::config c;
  c.gomaxprocs = std::atoi(argv[1]);
  return pirn::run(c, [] {
    int shared = 0;
    pirn::chan<void> turn;
    pirn::chan<void> ended(1);
    std::thread t([&] {
      for (int i = 0; i < 200; ++i) {
#if !defined(PLANTED)
        turn.recv();
#endif
        ++shared;
#if !defined(PLANTED)
        turn.send();
#endif
      }
      ended.send();
    });
    for (int i = 0; i < 200; ++i) {
      ++shared;
#if !defined(PLANTED)
      turn.send();
      turn.recv();
#else
      pirn::runtime::gosched();
#endif
    }
    ended.recv();
    t.join();
    return 0;
  });
}
