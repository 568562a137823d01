// Stages joined by channels: each is a function that takes the channel it reads and returns the one it fills.
#include <pirn/pirn.h>

#include <cstdio>

namespace {

pirn::recv_chan<int> numbers(int last) {
  pirn::chan<int> out;
  pirn::go([out, last] {
    for (int n = 1; n <= last; ++n) out.send(n);
    out.close();
  });
  return out;
}

template <class Keep>
pirn::recv_chan<int> filter(pirn::recv_chan<int> in, Keep keep) {
  pirn::chan<int> out;
  pirn::go([in, out, keep] {
    for (int n : in) {
      if (keep(n)) out.send(n);
    }
    out.close();
  });
  return out;
}

pirn::recv_chan<int> squares(pirn::recv_chan<int> in) {
  pirn::chan<int> out;
  pirn::go([in, out] {
    for (int n : in) out.send(n * n);
    out.close();
  });
  return out;
}

}  // namespace

int main() {
  return pirn::run([] {
    for (int n : squares(filter(numbers(10), [](int value) { return value % 2 == 0; }))) std::printf("%d\n", n);
  });
}
