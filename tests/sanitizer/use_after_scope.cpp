// A pointer to a variable of an ended scope is used after a park.
#include <pirn/pirn.h>

#include <cstdlib>

int main(int, char** argv) {
  pirn::config c;
  c.gomaxprocs = std::atoi(argv[1]);
  return pirn::run(c, [] {
    return pirn::spawn([] {
             volatile int* p = nullptr;
             [[maybe_unused]] volatile int outer = 1;
             {
               volatile int inner = 2;
               p = &inner;
               *p = 3;
             }
#if !defined(PLANTED)
             p = &outer;
#endif
             pirn::runtime::gosched();
             *p = 4;
             return 0;
           })
        .get();
  });
}
