// A value is filled in before (or, PLANTED, after) it is announced over a channel, by a sender that then parks; the
// order that the channel gives must be seen, and no more than that.
#include <pirn/pirn.h>

#include <cstdlib>

int main(int, char** argv) {
  pirn::config c;
  c.gomaxprocs = std::atoi(argv[1]);
  return pirn::run(c, [] {
    pirn::chan<int*> out(1);
    pirn::chan<void> done;
    static int values[1000];
    pirn::go([=] {
      for (int& v : values) {
#if !defined(PLANTED)
        v = 7;
#endif
        out.send(&v);
#if defined(PLANTED)
        v = 7;
#endif
      }
      out.close();
      done.send();
    });
    long sum = 0;
    for (int* v : out) sum += *v;
    done.recv();
    return sum < 0 ? 1 : 0;
  });
}
