// A goroutine that has parked and moved writes past an array on its own stack.
#include <pirn/pirn.h>

#include <cstdlib>

[[gnu::noinline]] void fill(volatile char* buffer, int n) {
  for (int i = 0; i < n; ++i) {
    buffer[i] = 1;
    if (i % 8 == 0) pirn::runtime::gosched();
  }
}

int main(int, char** argv) {
  pirn::config c;
  c.gomaxprocs = std::atoi(argv[1]);
  return pirn::run(c, [] {
    pirn::wait_group wg;
    for (int i = 0; i < 10; ++i) {
      wg.go([] {
        volatile char buffer[64];
#if defined(PLANTED)
        fill(buffer, sizeof buffer + 1);
#else
        fill(buffer, sizeof buffer);
#endif
      });
    }
    wg.wait();
    return 0;
  });
}
