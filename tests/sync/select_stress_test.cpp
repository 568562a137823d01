// Crowds of selecting and plain goroutines on a few channels: everything arrives exactly once.
// Layer: tests of src/sync, through the public headers.
#include <array>
#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class select_stress : public on_procs {};
PIRN_TEST_ON_PROCS(select_stress);

using four_channels = std::array<pirn::chan<int>, 4>;

four_channels make_four() { return {pirn::chan<int>(0), pirn::chan<int>(0), pirn::chan<int>(2), pirn::chan<int>(3)}; }

// Sends n values to each channel in whatever order they become ready, crossing finished ones off with nil.
void send_to_all(four_channels c, int n) {
  std::array<int, 4> sent{};
  for (int i = 0; i < 4 * n; ++i) {
    const int at = pirn::select(pirn::send(c[0], sent[0]), pirn::send(c[1], sent[1]), pirn::send(c[2], sent[2]),
                                pirn::send(c[3], sent[3]));
    const auto k = static_cast<std::size_t>(at);
    if (++sent[k] == n) c[k] = nullptr;
  }
}

void receive_from_all(four_channels c, int n, long& sum) {
  std::array<int, 4> received{};
  for (int i = 0; i < 4 * n; ++i) {
    int v = 0;
    const int at = pirn::select(pirn::recv(c[0], v), pirn::recv(c[1], v), pirn::recv(c[2], v), pirn::recv(c[3], v));
    const auto k = static_cast<std::size_t>(at);
    sum += v;
    if (++received[k] == n) c[k] = nullptr;
  }
}

// Go: TestSelectStress. Eight plain goroutines and two that select among all four.
TEST_P(select_stress, counts_are_exact) {
  run([] {
    const int n = scaled(10000);
    const four_channels c = make_four();
    pirn::wait_group wg;
    std::array<long, 5> sums{};
    for (std::size_t k = 0; k < 4; ++k) {
      wg.go([=, &c] {
        for (int i = 0; i < n; ++i) c[k].send(i);
      });
      wg.go([=, &c, &sums] {
        for (int i = 0; i < n; ++i) sums[k] += c[k].recv().value();
      });
    }
    wg.go([=] { send_to_all(c, n); });
    wg.go([=, &sums] { receive_from_all(c, n, sums[4]); });
    wg.wait();
    for (const auto& each : c) EXPECT_EQ(each.len(), 0u);
    EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), 0L), 8L * n * (n - 1) / 2);
  });
}

TEST_P(select_stress, counts_are_exact_among_selects_only) {
  run([] {
    const int n = scaled(3000);
    const four_channels c = make_four();
    constexpr std::size_t k_pairs = 4;
    pirn::wait_group wg;
    std::array<long, k_pairs> sums{};
    for (std::size_t i = 0; i < k_pairs; ++i) {
      wg.go([=] { send_to_all(c, n); });
      wg.go([=, &sums] { receive_from_all(c, n, sums[i]); });
    }
    wg.wait();
    EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), 0L), 4L * k_pairs * n * (n - 1) / 2);
  });
}

TEST_P(select_stress, counts_are_exact_with_plain_threads) {
  run([] {
    const int n = scaled(600);
    const four_channels c = make_four();
    pirn::wait_group wg;
    std::array<long, 3> sums{};
    wg.go([=] { send_to_all(c, n); });
    wg.go([=, &sums] { receive_from_all(c, n, sums[0]); });
    std::vector<std::thread> threads;
    threads.emplace_back([=] { send_to_all(c, n); });
    threads.emplace_back([=, &sums] { receive_from_all(c, n, sums[1]); });
    wg.wait();
    for (auto& t : threads) join(t);
    EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), 0L), 4L * 2 * n * (n - 1) / 2);
  });
}

// The locks of several channels are taken at once, in every order in which the cases can be written.
TEST_P(select_stress, opposite_orders_do_not_deadlock) {
  run([] {
    const int n = scaled(5000);
    const pirn::chan<int> a, b;
    pirn::wait_group wg;
    std::atomic<long> received{0};
    for (int i = 0; i < 4; ++i) {
      wg.go([=, &received] {
        for (int k = 0; k < n; ++k) {
          int v = 0;
          if ((i + k) % 2 == 0) {
            pirn::select(pirn::recv(a, v), pirn::recv(b, v));
          } else {
            pirn::select(pirn::recv(b, v), pirn::recv(a, v));
          }
          received += v;
        }
      });
      wg.go([=] {
        for (int k = 0; k < n; ++k) {
          if ((i + k) % 2 == 0) {
            pirn::select(pirn::send(a, 1), pirn::send(b, 1));
          } else {
            pirn::select(pirn::send(b, 1), pirn::send(a, 1));
          }
        }
      });
    }
    wg.wait();
    EXPECT_EQ(received, 4L * n);
  });
}

// Several that wait in both directions on the same channels: each meeting is between two different ones.
TEST_P(select_stress, everyone_may_meet_everyone) {
  run([] {
    constexpr int k_goroutines = 10;
    const int meetings = scaled(3000);
    const pirn::chan<int> a, b;
    const pirn::chan<void> quit;
    std::atomic<long> sent{0}, received{0};
    std::atomic<int> left{meetings};
    pirn::wait_group wg;
    for (int i = 0; i < k_goroutines; ++i) {
      wg.go([&, i] {
        for (;;) {
          int v = -1;
          switch (
              pirn::select(pirn::recv(a, v), pirn::send(b, i), pirn::recv(quit), pirn::recv(b, v), pirn::send(a, i))) {
            case 0:
            case 3:
              EXPECT_NE(v, i) << "a goroutine met itself";
              received += v;
              if (left.fetch_sub(1) == 1) quit.close();
              break;
            case 2:
              return;
            default:
              sent += i;
          }
        }
      });
    }
    wg.wait();
    EXPECT_EQ(sent, received);
  });
}

TEST_P(select_stress, close_beside_selects_ends_them_all) {
  run([] {
    for (int round = 0; round < scaled(300); ++round) {
      const pirn::chan<int> a(round % 2), b;
      pirn::wait_group wg;
      std::atomic<int> refused{0}, sent{0}, received{0};
      for (int i = 0; i < 4; ++i) {
        wg.go([&] {
          try {
            for (;;) {
              pirn::select(pirn::send(a, 1), pirn::recv(b));
              ++sent;
            }
          } catch (const pirn::closed_channel&) {
            ++refused;
          }
        });
        wg.go([&] {
          for (;;) {
            int v = 0;
            bool ok = false;
            pirn::select(pirn::recv(a, v, ok), pirn::recv(b));
            if (!ok) return;
            received += v;
          }
        });
      }
      let_others_run(round % 7);
      a.close();
      wg.wait();
      ASSERT_EQ(refused, 4);
      ASSERT_EQ(sent, received);
    }
  });
}

}  // namespace
