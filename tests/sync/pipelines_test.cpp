// Programs of many small goroutines whose only structure is channels: prime sieves and power series.
// Layer: tests of src/sync, through the public headers.
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class pipelines : public on_procs {};
PIRN_TEST_ON_PROCS(pipelines);

// Ends a pipeline from its far end: every goroutine in it also listens to quit.
struct stoppable {
  pirn::chan<void> quit;
  pirn::wait_group running;

  void go(std::function<void()> f) { running.go(std::move(f)); }
  // False when the pipeline is to end.
  bool send(const pirn::chan<int>& c, int v) const { return pirn::select(pirn::send(c, v), pirn::recv(quit)) == 0; }
  std::optional<int> recv(const pirn::chan<int>& c) const {
    int v = 0;
    if (pirn::select(pirn::recv(c, v), pirn::recv(quit)) != 0) return std::nullopt;
    return v;
  }
  void stop() {
    quit.close();
    running.wait();
  }
};

// Go: test/chan/sieve1.go
TEST_P(pipelines, a_sieve_of_filters_finds_the_primes) {
  run([] {
    stoppable all;
    pirn::chan<int> numbers;
    all.go([&, numbers] {
      for (int i = 2; all.send(numbers, i); ++i) {
      }
    });
    std::vector<int> primes;
    pirn::chan<int> in = numbers;
    for (int i = 0; i < (k_tsan ? 40 : 150); ++i) {
      const int prime = in.recv().value();
      primes.push_back(prime);
      pirn::chan<int> out;
      all.go([&all, in, out, prime] {
        while (const auto v = all.recv(in)) {
          if (*v % prime != 0 && !all.send(out, *v)) return;
        }
      });
      in = out;
    }
    all.stop();
    int expected = 2;
    for (const int p : primes) {
      const auto is_prime = [](int n) {
        for (int d = 2; d * d <= n; ++d) {
          if (n % d == 0) return false;
        }
        return true;
      };
      while (!is_prime(expected)) ++expected;
      ASSERT_EQ(p, expected++);
    }
  });
}

// Go: test/chan/powser1.go. A power series is a goroutine that gives its next coefficient when asked for it. Modulo a
// prime, so that coefficients stay exact.
constexpr std::int64_t k_modulus = 1'000'003;

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  for (base %= k_modulus; exponent > 0; exponent /= 2, base = base * base % k_modulus) {
    if (exponent % 2 != 0) result = result * base % k_modulus;
  }
  return result;
}
std::int64_t inverse(std::int64_t v) { return power(v, k_modulus - 2); }

struct series {
  pirn::chan<void> demand;
  pirn::chan<std::int64_t> supply;

  std::int64_t next() const {
    demand.send();
    return supply.recv().value();
  }
};

// Starts a series whose coefficients `coefficient()` gives one after the other; it ends when its demand is closed.
class series_maker {
 public:
  series make(std::function<std::int64_t()> coefficient) {
    series s;
    all_.push_back(s);
    running_.go([s, coefficient = std::move(coefficient)] {
      while (s.demand.recv()) s.supply.send(coefficient());
    });
    return s;
  }
  ~series_maker() {
    // Whoever consumes stands after what it consumes.
    for (auto s = all_.rbegin(); s != all_.rend(); ++s) s->demand.close();
    running_.wait();
  }

  series ones() {
    return make([] { return 1; });
  }
  series sum(series a, series b) {
    return make([=] { return (a.next() + b.next()) % k_modulus; });
  }
  // Every coefficient of a is kept, so this is the plain convolution.
  series product(series a, series b) {
    return make([=, as = std::vector<std::int64_t>(), bs = std::vector<std::int64_t>()]() mutable {
      as.push_back(a.next());
      bs.push_back(b.next());
      std::int64_t c = 0;
      for (std::size_t i = 0; i < as.size(); ++i) c = (c + as[i] * bs[as.size() - 1 - i]) % k_modulus;
      return c;
    });
  }
  // The integral with the given constant.
  series integral(std::int64_t constant, series a) {
    return make([=, n = 0]() mutable {
      if (n++ == 0) return constant;
      return a.next() * inverse(n - 1) % k_modulus;
    });
  }
  // Two series that both give what `a` gives.
  std::pair<series, series> split(series a) {
    auto given = std::make_shared<std::vector<std::int64_t>>();
    auto m = std::make_shared<pirn::mutex>();
    const auto reader = [=] {
      return [=, at = std::size_t{0}]() mutable {
        std::scoped_lock hold(*m);
        if (at == given->size()) given->push_back(a.next());
        return (*given)[at++];
      };
    };
    return {make(reader()), make(reader())};
  }

 private:
  std::vector<series> all_;
  pirn::wait_group running_;
};

TEST_P(pipelines, power_series_add_multiply_and_integrate) {
  run([] {
    constexpr int k_terms = 30;
    series_maker maker;
    // 1/(1-x) squared has the coefficients 1, 2, 3, ...
    const series squared = maker.product(maker.ones(), maker.ones());
    for (int i = 1; i <= k_terms; ++i) ASSERT_EQ(squared.next(), i);
    // Its integral is x + x^2 + ..., and adding 1/(1-x) gives 1, 2, 2, 2, ...
    const series twos = maker.sum(maker.integral(0, maker.product(maker.ones(), maker.ones())), maker.ones());
    for (int i = 0; i < k_terms; ++i) ASSERT_EQ(twos.next(), i == 0 ? 1 : 2);
  });
}

// exp solves y = 1 + integral of y: a series that feeds on itself, over a copy of what it gave before.
TEST_P(pipelines, a_power_series_may_feed_on_itself) {
  run([] {
    constexpr int k_terms = 30;
    series_maker maker;
    const pirn::chan<std::int64_t> fed_back(1);
    const series delayed = maker.make([=] { return fed_back.recv().value(); });
    const series exponential = maker.integral(1, delayed);
    const auto [first, second] = maker.split(exponential);
    const series partial_sums = maker.product(first, maker.ones());
    std::int64_t factorial = 1, sum = 0;
    for (int n = 0; n < k_terms; ++n) {
      if (n > 0) factorial = factorial * n % k_modulus;
      sum = (sum + inverse(factorial)) % k_modulus;
      const std::int64_t term = second.next();
      ASSERT_EQ(term, inverse(factorial));
      fed_back.send(term);
      ASSERT_EQ(partial_sums.next(), sum) << "exp(x)/(1-x) sums the coefficients of exp";
    }
  });
}

// A ring of goroutines passes a token round.
TEST_P(pipelines, a_ring_passes_its_token_round) {
  run([] {
    constexpr int k_members = 100;
    const int rounds = scaled(200);
    std::vector<pirn::chan<int>> links(k_members);
    pirn::wait_group wg;
    for (std::size_t i = 1; i < k_members; ++i) {
      wg.go([&, i] {
        for (int v : links[i]) links[(i + 1) % k_members].send(v + 1);
      });
    }
    int v = 0;
    for (int round = 0; round < rounds; ++round) {
      links[1].send(v + 1);
      v = links[0].recv().value();
    }
    EXPECT_EQ(v, k_members * rounds);
    for (const auto& link : links) link.close();
    wg.wait();
  });
}

}  // namespace
