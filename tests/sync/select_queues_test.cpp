// select and the queues of its channels: it waits in all of them at once, leaves all of them when one case runs, and
// meets plain senders and receivers and other selects there.
// Layer: tests of src/sync, through the public headers.
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class select_queues : public on_procs {};
PIRN_TEST_ON_PROCS(select_queues);

// A select that both sends to and receives from one channel must not meet itself.
TEST_P(select_queues, does_not_talk_to_itself) {
  run([] {
    const pirn::chan<int> c;
    int v = 0;
    EXPECT_EQ(pirn::select(pirn::recv(c, v), pirn::send(c, 1), pirn::otherwise), 2);
    auto h = pirn::spawn([c] {
      int got = 0;
      return pirn::select(pirn::recv(c, got), pirn::send(c, 5)) == 0 ? got : -1;
    });
    let_others_run();
    c.send(9);
    EXPECT_EQ(h.get(), 9);
    auto sender = pirn::spawn([c] {
      int got = 0;
      return pirn::select(pirn::recv(c, got), pirn::send(c, 5));
    });
    EXPECT_EQ(c.recv(), 5);
    EXPECT_EQ(sender.get(), 1);
  });
}

TEST_P(select_queues, two_that_can_do_either_meet_once) {
  run([] {
    for (int i = 0; i < scaled(2000); ++i) {
      const pirn::chan<int> c;
      const auto either = [c] {
        int got = 0;
        return pirn::select(pirn::recv(c, got), pirn::send(c, 1)) == 0 ? 10 + got : 0;
      };
      auto a = pirn::spawn(either);
      auto b = pirn::spawn(either);
      ASSERT_EQ(a.get() + b.get(), 11) << "one sends, the other receives";
    }
  });
}

// Go: TestSelectDuplicateChannel. One goroutine waits in one queue twice.
TEST_P(select_queues, may_name_one_channel_twice) {
  run([] {
    for (int round = 0; round < 20; ++round) {
      const pirn::chan<int> c, d, e;
      pirn::go([=] {
        int v = 0;
        EXPECT_EQ(pirn::select(pirn::recv(c, v), pirn::recv(c, v), pirn::recv(d, v)), 2);
        e.send(9);
      });
      let_others_run(5);
      auto second = pirn::spawn([=] { return c.recv(); });
      let_others_run(5);
      d.send(7);
      EXPECT_EQ(e.recv(), 9);
      c.send(8);
      EXPECT_EQ(second.get(), 8);
    }
  });
}

// Go: test/chan/select6.go. A select that waits at the end of a queue and is served elsewhere leaves a usable queue.
TEST_P(select_queues, leaves_the_queues_usable_when_it_was_last_in_them) {
  run([] {
    const pirn::chan<int> c1, c2;
    auto first = pirn::spawn([=] { return c1.recv(); });
    let_others_run(5);
    auto selecting = pirn::spawn([=] {
      int v = 0;
      return pirn::select(pirn::recv(c1, v), pirn::recv(c2, v));
    });
    let_others_run(5);
    c2.send(1);
    EXPECT_EQ(selecting.get(), 1);
    auto second = pirn::spawn([=] { return c1.recv(); });
    let_others_run(5);
    c1.send(2);
    c1.send(3);
    EXPECT_EQ(first.get().value() + second.get().value(), 5);
  });
}

// The same for the first and the middle place, and for senders.
TEST(select_queue_order, stay_in_order_when_a_select_leaves_from_any_place) {
  for (int place = 0; place < 4; ++place) {
    for (const bool receive : {true, false}) {
      run_on(1, [=] {
        const pirn::chan<int> c, wake;
        std::vector<pirn::join_handle<int>> plain;
        pirn::join_handle<int> selecting = pirn::spawn([] { return 0; });
        for (int i = 0; i < 4; ++i) {
          if (i == place) {
            selecting = pirn::spawn([=] {
              int v = 0;
              return receive ? pirn::select(pirn::recv(c, v), pirn::recv(wake, v))
                             : pirn::select(pirn::send(c, -1), pirn::recv(wake, v));
            });
          } else {
            plain.push_back(pirn::spawn([=] {
              if (receive) return c.recv().value();
              c.send(i);
              return i;
            }));
          }
          let_others_run(3);
        }
        wake.send(1);
        EXPECT_EQ(selecting.get(), 1);
        int expected = 0;
        for (std::size_t i = 0; i < plain.size(); ++i, ++expected) {
          if (expected == place) ++expected;
          if (receive) {
            c.send(static_cast<int>(i));
            EXPECT_EQ(plain[i].get(), static_cast<int>(i));
          } else {
            EXPECT_EQ(c.recv(), expected);
          }
        }
      });
    }
  }
}

// Go: test/chan/select7.go
TEST_P(select_queues, interoperates_with_plain_sends_and_receives) {
  run([] {
    using receiver = int (*)(const pirn::chan<int>&);
    using sender = void (*)(const pirn::chan<int>&, int);
    const receiver receivers[] = {
        [](const pirn::chan<int>& c) { return c.recv().value(); },
        [](const pirn::chan<int>& c) {
          int v = 0;
          pirn::select(pirn::recv(c, v));
          return v;
        },
        [](const pirn::chan<int>& c) {
          int v = 0;
          pirn::select(pirn::recv(pirn::chan<int>(), v), pirn::recv(c, v));
          return v;
        },
        [](const pirn::chan<int>& c) {
          int v = 0;
          pirn::select(pirn::recv(c, v), pirn::send(pirn::chan<int>(), 1));
          return v;
        },
    };
    const sender senders[] = {
        [](const pirn::chan<int>& c, int v) { c.send(v); },
        [](const pirn::chan<int>& c, int v) { pirn::select(pirn::send(c, v)); },
        [](const pirn::chan<int>& c, int v) { pirn::select(pirn::recv(pirn::chan<int>()), pirn::send(c, v)); },
        [](const pirn::chan<int>& c, int v) { pirn::select(pirn::send(c, v), pirn::send(pirn::chan<int>(), 1)); },
    };
    for (const int cap : {0, 1, 10}) {
      for (const receiver receive : receivers) {
        for (const sender send : senders) {
          const pirn::chan<int> c(cap);
          pirn::go([=] { send(c, 42); });
          EXPECT_EQ(receive(c), 42);
          auto h = pirn::spawn([=] { return receive(c); });
          let_others_run(5);
          send(c, 43);
          EXPECT_EQ(h.get(), 43);
        }
      }
    }
  });
}

// Go: test/chan/doubleselect.go. One value goes through exactly one of the cases.
TEST_P(select_queues, never_delivers_one_value_twice) {
  run([] {
    const int n = scaled(100000) / 2;
    pirn::chan<int> c[4], merged;
    pirn::go([&] {
      for (int i = 0; i < n; ++i) {
        pirn::select(pirn::send(c[0], i), pirn::send(c[1], i), pirn::send(c[2], i), pirn::send(c[3], i));
      }
      for (auto& each : c) each.close();
    });
    pirn::wait_group wg;
    for (auto& each : c) {
      wg.go([&] {
        for (int v : each) merged.send(v);
      });
    }
    pirn::go([&] {
      wg.wait();
      merged.close();
    });
    std::vector<int> times(static_cast<std::size_t>(n));
    for (int v : merged) ++times[static_cast<std::size_t>(v)];
    for (int t : times) ASSERT_EQ(t, 1);
  });
}

// Go: test/chan/select5.go. Selects of random shape, of which exactly one case is ready or none.
TEST_P(select_queues, does_the_right_thing_in_every_shape) {
  run([] {
    constexpr unsigned k_seed = 20240611;
    std::mt19937 random(k_seed);
    const auto below = [&](unsigned n) { return static_cast<int>(random() % n); };
    for (int round = 0; round < scaled(20000); ++round) {
      const int n = 1 + below(6);
      const bool with_otherwise = below(3) == 0;
      const int ready = with_otherwise && below(3) == 0 ? -1 : below(static_cast<unsigned>(n));
      const int otherwise_at = with_otherwise ? below(static_cast<unsigned>(n) + 1) : -1;

      std::vector<pirn::select_case> cases;
      std::vector<pirn::chan<int>> channels;
      std::vector<int> got(static_cast<std::size_t>(n), -1);
      int expected = -1;
      bool expect_receive = false, expect_closed = false;
      pirn::chan<int> expected_channel(nullptr);
      for (int i = 0; i <= n; ++i) {
        if (i == otherwise_at) {
          if (ready < 0) expected = static_cast<int>(cases.size());
          cases.push_back(pirn::otherwise);
        }
        if (i == n) break;
        const auto at = static_cast<std::size_t>(i);
        const bool receive = below(2) == 0;
        if (i == ready) {
          expected = static_cast<int>(cases.size());
          expect_receive = receive;
          pirn::chan<int> c(1 + below(3));
          if (receive) {
            expect_closed = below(3) == 0;
            if (expect_closed) {
              c.close();
            } else {
              c.send(i);
            }
          }
          expected_channel = c;
          channels.push_back(c);
        } else {
          pirn::chan<int> c(nullptr);
          if (below(4) != 0) c = pirn::chan<int>(receive ? below(3) : 0);
          channels.push_back(c);
        }
        if (receive) {
          if (below(2) == 0) {
            cases.push_back(pirn::recv(channels[at], got[at]));
          } else {
            cases.push_back(pirn::recv(channels[at], [&got, at](std::optional<int> v) { got[at] = v.value_or(-1); }));
          }
        } else {
          cases.push_back(pirn::send(channels[at], i));
        }
      }
      ASSERT_EQ(pirn::select(std::span(cases)), expected) << "round " << round;
      if (ready < 0 || expect_closed) continue;
      ASSERT_EQ(expect_receive ? got[static_cast<std::size_t>(ready)] : expected_channel.recv(), ready);
    }
  });
}

}  // namespace
