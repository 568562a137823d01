// select picks uniformly at random among the ready cases. Bounds are ten standard deviations wide: a fair coin misses
// one less than once in 10^22 runs.
// Layer: tests of src/sync, through the public headers.
#include <cmath>
#include <span>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

// Expects that each of the counts is n picks' fair share.
void expect_fair(const std::vector<int>& counts, int n) {
  const double share = 1.0 / static_cast<double>(counts.size());
  const double deviation = std::sqrt(n * share * (1 - share));
  for (std::size_t i = 0; i < counts.size(); ++i) {
    EXPECT_NEAR(counts[i], n * share, 10 * deviation) << "case " << i << " of " << counts.size();
  }
}

class select_fairness : public on_procs {};
PIRN_TEST_ON_PROCS(select_fairness);

// Go: TestSelectFairness
TEST_P(select_fairness, of_two_ready_receives_among_four) {
  run([] {
    constexpr int k_picks = 10000;
    const pirn::chan<int> a(k_picks + 1), b(k_picks + 1), never, neither, out;
    for (int i = 0; i <= k_picks; ++i) {
      a.send(0);
      b.send(1);
    }
    const pirn::chan<void> done;
    auto h = pirn::spawn([=] {
      for (;;) {
        int v = 0;
        pirn::select(pirn::recv(never, v), pirn::recv(neither, v), pirn::recv(a, v), pirn::recv(b, v));
        if (pirn::select(pirn::send(out, v), pirn::recv(done)) == 1) return;
      }
    });
    std::vector<int> counts(2);
    for (int i = 0; i < k_picks; ++i) ++counts[static_cast<std::size_t>(out.recv().value())];
    done.close();
    h.get();
    expect_fair(counts, k_picks);
  });
}

TEST_P(select_fairness, of_ready_sends) {
  run([] {
    constexpr int k_picks = 5000;
    const pirn::chan<int> a(k_picks), b(k_picks), c(k_picks);
    std::vector<int> counts(3);
    for (int i = 0; i < k_picks; ++i) {
      ++counts[static_cast<std::size_t>(pirn::select(pirn::send(a, i), pirn::send(b, i), pirn::send(c, i)))];
    }
    expect_fair(counts, k_picks);
  });
}

TEST_P(select_fairness, of_closed_channels_with_otherwise) {
  run([] {
    constexpr int k_picks = 5000;
    const pirn::chan<int> a, b;
    a.close();
    b.close();
    std::vector<int> counts(2);
    for (int i = 0; i < k_picks; ++i) {
      ++counts.at(static_cast<std::size_t>(pirn::select(pirn::recv(a), pirn::recv(b), pirn::otherwise)));
    }
    expect_fair(counts, k_picks);
  });
}

TEST_P(select_fairness, of_the_dynamic_form) {
  run([] {
    constexpr int k_picks = 8000;
    constexpr std::size_t k_cases = 7;
    std::vector<pirn::chan<int>> channels(k_cases);
    for (const auto& c : channels) c.close();
    std::vector<int> counts(k_cases);
    for (int i = 0; i < k_picks; ++i) {
      std::vector<pirn::select_case> cases;
      for (const auto& c : channels) cases.push_back(pirn::recv(c));
      ++counts[static_cast<std::size_t>(pirn::select(std::span(cases)))];
    }
    expect_fair(counts, k_picks);
  });
}

// Two in a row are independent: a select that takes turns would pass the tests above.
TEST_P(select_fairness, has_no_memory) {
  run([] {
    constexpr int k_picks = 10000;
    const pirn::chan<int> a, b;
    a.close();
    b.close();
    std::vector<int> pairs(4);
    int before = 0;
    for (int i = 0; i < k_picks; ++i) {
      const int now = pirn::select(pirn::recv(a), pirn::recv(b));
      ++pairs[static_cast<std::size_t>(before * 2 + now)];
      before = now;
    }
    expect_fair(pairs, k_picks);
  });
}

}  // namespace
