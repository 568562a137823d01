// select waits for several channels at once; one of them may be a timer's.
#include <pirn/pirn.h>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

namespace {

void ask(const char* whom, const pirn::recv_chan<int>& reply, std::chrono::milliseconds patience) {
  int answer = 0;
  switch (pirn::select(pirn::recv(reply, answer), pirn::recv(pirn::after(patience)))) {
    case 0:
      std::printf("%s: the answer is %d\n", whom, answer);
      break;
    case 1:
      std::printf("%s: no answer within %lld ms\n", whom, static_cast<long long>(patience.count()));
      break;
  }
}

}  // namespace

int main() {
  return pirn::run([] {
    pirn::chan<int> quick(1);
    pirn::go([quick] { quick.send(42); });
    ask("quick", quick, 10s);

    pirn::chan<int> silent;
    ask("silent", silent, 20ms);

    // `otherwise` makes a select that never waits.
    const bool received = pirn::select(pirn::recv(silent), pirn::otherwise) == 0;
    std::printf("silent: %s\n", received ? "a value" : "nothing there");
  });
}
