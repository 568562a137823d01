// The essay's counter, to be run under ThreadSanitizer: `race plain` adds to a plain int from 1000 goroutines, `race
// atomic` to an atomic. Layer: lab. Built by the entry E08.
#include <pirn/pirn.h>

#include <atomic>
#include <cstdio>
#include <string_view>

namespace {

constexpr int k_goroutines = 1000;

template <typename Counter>
int count_up() {
  Counter count{0};
  pirn::wait_group wg;
  for (int i = 0; i < k_goroutines; ++i) {
    wg.go([&count] { ++count; });
  }
  wg.wait();
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view form = argc == 2 ? argv[1] : "";
  if (form != "plain" && form != "atomic") return 2;
  return pirn::run([form] {
    std::printf("count %d\n", form == "plain" ? count_up<int>() : count_up<std::atomic<int>>());
    return 0;
  });
}
