// Goroutines that compute, that block unannounced and in blocking(), that hold native locks and that pass tokens over
// channels, all at once, with slices a fiftieth of the usual, so that they are stopped in place, and lose and get Ps,
// thousands of times. At the end every token is there once, and everybody has come to his end.
// Layer: tests, through the public headers.
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <random>
#include <vector>

#include "support/debug_setting.h"
#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;

class hogs : public on_procs {
  const debug_setting short_slices_{"preemptslice=200,chaosstops=1"};
};
PIRN_TEST_ON_PROCS(hogs);

void compute(long steps) {
  std::atomic<long> n{0};
  while (n.fetch_add(1, std::memory_order_relaxed) < steps) {
  }
}

class crowd {
 public:
  void run(int players, int steps, bool change_procs) {
    for (int i = 0; i < k_tokens; ++i) tokens_.send(i);
    pirn::wait_group wg;
    for (int i = 0; i < players; ++i) {
      wg.go([this, i, steps] { play(static_cast<unsigned>(i), steps); });
    }
    if (change_procs) {
      auto random = random_for(77);
      for (int i = 0; i < 20; ++i) {
        pirn::runtime::gomaxprocs(static_cast<int>(1 + random() % 4));
        usleep(static_cast<unsigned>(random() % 1500));
      }
    }
    wg.wait();
    tokens_.close();
    std::vector<int> seen(k_tokens);
    while (auto t = tokens_.recv()) ++seen[static_cast<std::size_t>(*t)];
    for (int n : seen) EXPECT_EQ(n, 1);
    EXPECT_EQ(guarded_, native_rounds_.load());
    EXPECT_EQ(guarded_by_pirn_, pirn_rounds_.load());
  }

 private:
  static constexpr int k_tokens = 8;

  void play(unsigned player, int steps) {
    auto random = random_for(player);
    for (int i = 0; i < steps; ++i) {
      switch (random() % 9) {
        case 0:
          compute(static_cast<long>(random() % 200'000));
          break;
        case 1:
          usleep(static_cast<unsigned>(random() % 600));
          break;
        case 2:
          pirn::runtime::blocking([&] { usleep(static_cast<unsigned>(random() % 300)); });
          break;
        case 3: {
          const int t = tokens_.recv().value();
          compute(static_cast<long>(random() % 20'000));
          tokens_.send(t);
          break;
        }
        case 4: {
          std::scoped_lock hold(native_);
          ++guarded_;
          ++native_rounds_;
          compute(static_cast<long>(random() % 30'000));
          break;
        }
        case 5: {
          std::scoped_lock hold(m_);
          ++guarded_by_pirn_;
          ++pirn_rounds_;
          compute(static_cast<long>(random() % 30'000));
          break;
        }
        case 6:
          pirn::spawn([&] { compute(static_cast<long>(random() % 50'000)); }).get();
          break;
        case 7:
          pirn::sleep_for(std::chrono::microseconds(random() % 300));
          break;
        default: {
          const pirn::runtime::os_thread_lock here;
          compute(static_cast<long>(random() % 50'000));
          pirn::runtime::gosched();
          std::free(std::malloc(random() % 5000));
        }
      }
    }
  }

  pirn::chan<int> tokens_{k_tokens};
  std::mutex native_;
  pirn::mutex m_;
  long guarded_ = 0;
  long guarded_by_pirn_ = 0;
  std::atomic<long> native_rounds_{0};
  std::atomic<long> pirn_rounds_{0};
};

TEST_P(hogs, everybody_comes_to_his_end) {
  run([] { crowd().run(24, scaled(100), false); });
}

TEST_P(hogs, the_same_while_the_procs_change) {
  run([] { crowd().run(16, scaled(60), true); });
}

}  // namespace
