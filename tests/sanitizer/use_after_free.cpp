// One goroutine frees what another still reads; without PLANTED it waits for it first.
#include <pirn/pirn.h>

#include <cstdlib>

int main(int, char** argv) {
  pirn::config c;
  c.gomaxprocs = std::atoi(argv[1]);
  return pirn::run(c, [] {
    auto* value = new int(3);
    pirn::chan<void> started, go_on;
    auto reader = pirn::spawn([=] {
      started.send();
      go_on.recv();
      return *const_cast<volatile int*>(value);
    });
    started.recv();
#if defined(PLANTED)
    delete value;
    go_on.send();
    return reader.get() == 3 ? 0 : 1;
#else
    go_on.send();
    const int got = reader.get();
    delete value;
    return got == 3 ? 0 : 1;
#endif
  });
}
