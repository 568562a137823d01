// What cannot be copied, and what cannot be started.
#include <pirn/pirn.h>

int takes_int(int v) { return v; }

int main() {
  return pirn::run([] {
    auto h = pirn::spawn(takes_int, 1);
    pirn::go(takes_int, 1);
    pirn::mutex m;
    pirn::wait_group wg;
    pirn::chan<int> c(1);
#if defined(COPY_JOIN_HANDLE)
    auto second = h;
#elif defined(COPY_MUTEX)
    pirn::mutex second(m);
#elif defined(COPY_WAIT_GROUP)
    pirn::wait_group second(wg);
#elif defined(NOT_CALLABLE)
    pirn::go(1);
#elif defined(WRONG_ARGUMENTS)
    pirn::go(takes_int);
#elif defined(IMPLICIT_CAPACITY)
    pirn::chan<int> d = 1;
#endif
    return h.get();
  });
}
