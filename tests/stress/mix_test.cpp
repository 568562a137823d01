// Goroutines and plain threads that do random things with a fixed set of tokens: pass them over channels of every size,
// in selects that compete with timers, hand them to goroutines of their own, hold them over locks, sleeps and blocking
// calls. At the end every token must be there exactly once.
// Layer: tests, through the public headers.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;

class playground {
 public:
  playground(int tokens, int steps) : steps_(steps), tokens_(tokens) {
    for (const int cap : {0, 0, 0, 1, 1, 2, 5, 30}) channels_.emplace_back(cap);
  }

  void run(int goroutines, int threads, bool change_procs) {
    // The players share the tokens out among themselves.
    const int players = goroutines + threads;
    std::vector<std::vector<int>> hands(static_cast<std::size_t>(players));
    for (int t = 0; t < tokens_; ++t) hands[static_cast<std::size_t>(t % players)].push_back(t);
    pirn::wait_group wg;
    std::vector<std::thread> plain;
    for (int p = 0; p < players; ++p) {
      auto& hand = hands[static_cast<std::size_t>(p)];
      if (p < threads) {
        plain.emplace_back([this, p, &hand] { play(static_cast<unsigned>(p), std::move(hand), steps_ / 4); });
      } else {
        wg.go([this, p, &hand] { play(static_cast<unsigned>(p), std::move(hand), steps_); });
      }
    }
    if (change_procs) {
      auto random = random_for(1'000'000);
      for (int i = 0; i < 30; ++i) {
        pirn::runtime::gomaxprocs(static_cast<int>(1 + random() % 4));
        pirn::sleep_for(std::chrono::microseconds(random() % 500));
      }
    }
    wg.wait();
    for (auto& t : plain) join(t);
    for (const auto& c : channels_) {
      for (auto r = c.try_recv(); r.status == pirn::chan_status::ok; r = c.try_recv()) bag_.push_back(*r.value);
    }
    std::sort(bag_.begin(), bag_.end());
    std::vector<int> all(static_cast<std::size_t>(tokens_));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(bag_, all) << "tokens were lost or doubled";
    EXPECT_EQ(counter_, increments_);
  }

 private:
  const pirn::chan<int>& any_channel(std::mt19937& random) const { return channels_[random() % channels_.size()]; }

  // A select over two or three channels and a time-out, so that nobody waits for ever.
  void select_once(std::mt19937& random, std::vector<int>& hand) {
    const auto time_out = pirn::after(std::chrono::microseconds(random() % 200));
    int in = -1;
    const pirn::chan<int>&a = any_channel(random), &b = any_channel(random), &c = any_channel(random);
    if (hand.empty()) {
      if (pirn::select(pirn::recv(a, in), pirn::recv(b, in), pirn::recv(time_out)) != 2) hand.push_back(in);
      return;
    }
    const int out = hand.back();
    switch (pirn::select(pirn::send(a, out), pirn::recv(b, in), pirn::send(c, out), pirn::recv(time_out))) {
      case 0:
      case 2:
        hand.pop_back();
        break;
      case 1:
        hand.push_back(in);
        break;
    }
  }

  void step(std::mt19937& random, std::vector<int>& hand) {
    switch (random() % 16) {
      case 0:
      case 1:
        if (!hand.empty() && any_channel(random).try_send(hand.back())) hand.pop_back();
        break;
      case 2:
      case 3: {
        const auto r = any_channel(random).try_recv();
        if (r.status == pirn::chan_status::ok) hand.push_back(*r.value);
        break;
      }
      case 4: {
        // A goroutine of its own takes the hand for a walk.
        const auto seed = random();
        hand = pirn::spawn([this, seed, mine = std::move(hand)]() mutable {
                 std::mt19937 own(seed);
                 for (int i = 0; i < 3; ++i) select_once(own, mine);
                 return std::move(mine);
               }).get();
        break;
      }
      case 5:
        pirn::runtime::gosched();
        break;
      case 6: {
        std::scoped_lock hold(m_);
        ++counter_;
        if (random() % 4 == 0) pirn::runtime::gosched();
        ++increments_;
        break;
      }
      case 7:
        if (random() % 8 == 0) pirn::runtime::blocking([] { std::this_thread::yield(); });
        break;
      case 8:
        if (random() % 4 == 0) pirn::sleep_for(std::chrono::microseconds(random() % 100));
        break;
      case 9: {
        pirn::timer t(std::chrono::microseconds(random() % 50));
        if (random() % 2 == 0) t.reset(std::chrono::microseconds(random() % 50));
        if (random() % 2 == 0) t.stop();
        break;
      }
      case 10: {
        pirn::wait_group wg;
        for (int i = 0; i < 2; ++i) wg.go([] { pirn::runtime::gosched(); });
        wg.wait();
        break;
      }
      default:
        select_once(random, hand);
    }
  }

  void play(unsigned player, std::vector<int> hand, int steps) {
    auto random = random_for(player);
    for (int i = 0; i < steps; ++i) step(random, hand);
    std::scoped_lock hold(bag_mutex_);
    bag_.insert(bag_.end(), hand.begin(), hand.end());
  }

  const int steps_, tokens_;
  std::vector<pirn::chan<int>> channels_;
  pirn::mutex m_, bag_mutex_;
  long counter_ = 0, increments_ = 0;
  std::vector<int> bag_;
};

class mix : public on_procs {};
PIRN_TEST_ON_PROCS(mix);

TEST_P(mix, of_goroutines_keeps_every_token) {
  run([] { playground(100, scaled(400)).run(100, 0, false); });
}

TEST_P(mix, of_goroutines_and_threads_keeps_every_token) {
  run([] { playground(100, scaled(400)).run(60, 4, false); });
}

TEST_P(mix, keeps_every_token_while_the_number_of_procs_changes) {
  run([] { playground(60, scaled(400)).run(60, 2, true); });
}

}  // namespace
