// What a user of an installed pirn writes: goroutines, a channel, a wait group. Prints the sum of 1 to 100.
#include <pirn/pirn.h>
#include <pirn/version.h>

#include <cstdio>

int main() {
  return pirn::run([] {
    pirn::chan<int> numbers(8);
    pirn::wait_group senders;
    for (int i = 1; i <= 100; ++i) {
      senders.go([numbers, i] { numbers.send(i); });
    }
    pirn::go([&senders, numbers] {
      senders.wait();
      numbers.close();
    });
    int sum = 0;
    for (int n : numbers) sum += n;
    std::printf("pirn %s: %d\n", PIRN_VERSION, sum);
  });
}
