// Channels: what send, receive, try_send, try_recv, len and cap do, and in which order values and waiters come out.
// Closing is in chan_close_test.cpp, element types in chan_types_test.cpp, plain threads in chan_foreign_test.cpp.
// Layer: tests of src/sync, through the public headers.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class chan : public on_procs {};
PIRN_TEST_ON_PROCS(chan);

// Go's TestChan runs everything for capacities 0 to 199.
template <class F>
void for_each_capacity(F f) {
  for (int cap = 0; cap < 200; cap += k_tsan ? 19 : 1) f(cap);
}

// Go: TestChan, "ensure that receive from empty chan blocks"
TEST_P(chan, receiving_from_an_empty_one_waits) {
  run([] {
    for_each_capacity([](int cap) {
      pirn::chan<int> c(cap);
      std::atomic<bool> received{false};
      auto h = pirn::spawn([&] {
        const auto v = c.recv();
        received = true;
        return v;
      });
      auto selecting = pirn::spawn([&] {
        int v = 0;
        pirn::select(pirn::recv(c, v));
        received = true;
        return v;
      });
      let_others_run(10);
      ASSERT_FALSE(received);
      c.send(1);
      c.send(1);
      EXPECT_EQ(h.get(), 1);
      EXPECT_EQ(selecting.get(), 1);
    });
  });
}

// Go: TestChan, "ensure that non-blocking receive/send does not block"
TEST_P(chan, try_operations_never_wait) {
  run([] {
    for_each_capacity([](int cap) {
      pirn::chan<int> c(cap);
      const auto got = c.try_recv();
      EXPECT_EQ(got.status, pirn::chan_status::empty);
      EXPECT_FALSE(got.value.has_value());
      for (int i = 0; i < cap; ++i) ASSERT_TRUE(c.try_send(i));
      EXPECT_FALSE(c.try_send(-1));
      for (int i = 0; i < cap; ++i) {
        const auto r = c.try_recv();
        ASSERT_EQ(r.status, pirn::chan_status::ok);
        ASSERT_EQ(r.value, i);
      }
      EXPECT_EQ(c.try_recv().status, pirn::chan_status::empty);
    });
  });
}

// Go: TestChan, "ensure that send to full chan blocks"
TEST_P(chan, sending_to_a_full_one_waits) {
  run([] {
    for_each_capacity([](int cap) {
      pirn::chan<int> c(cap);
      for (int i = 0; i < cap; ++i) c.send(i);
      std::atomic<bool> sent{false};
      auto h = pirn::spawn([&] {
        c.send(cap);
        sent = true;
      });
      let_others_run(10);
      ASSERT_FALSE(sent);
      EXPECT_EQ(c.len(), static_cast<std::size_t>(cap)) << "a waiting sender's value does not count";
      for (int i = 0; i <= cap; ++i) ASSERT_EQ(c.recv(), i);
      h.get();
    });
  });
}

// Go: TestChan, "100 ints FIFO"
TEST_P(chan, delivers_in_order) {
  run([] {
    for_each_capacity([](int cap) {
      pirn::chan<int> c(cap);
      auto h = pirn::spawn([c] {
        for (int i = 0; i < 100; ++i) c.send(i);
      });
      for (int i = 0; i < 100; ++i) ASSERT_EQ(c.recv(), i);
      h.get();
    });
  });
}

// Go: TestChan, "4 senders x 1000 to 4 receivers"
TEST_P(chan, delivers_every_value_once_between_many) {
  run([] {
    constexpr int k_sides = 4;
    const int each = scaled(1000);
    for (int cap = 0; cap < 200; cap += 23) {
      pirn::chan<int> c(cap);
      std::vector<pirn::join_handle<std::vector<int>>> receivers;
      for (int p = 0; p < k_sides; ++p) {
        pirn::go([=] {
          for (int i = 0; i < each; ++i) c.send(i);
        });
        receivers.push_back(pirn::spawn([=] {
          std::vector<int> got(static_cast<std::size_t>(each));
          for (int i = 0; i < each; ++i) ++got[static_cast<std::size_t>(c.recv().value())];
          return got;
        }));
      }
      std::vector<int> times(static_cast<std::size_t>(each));
      for (auto& r : receivers) {
        const auto got = r.get();
        for (std::size_t i = 0; i < got.size(); ++i) times[i] += got[i];
      }
      EXPECT_TRUE(std::all_of(times.begin(), times.end(), [](int n) { return n == k_sides; })) << "capacity " << cap;
    }
  });
}

// Go: TestChan, "len and cap"
TEST_P(chan, knows_its_length_and_capacity) {
  run([] {
    for_each_capacity([](int cap) {
      pirn::chan<int> c(cap);
      EXPECT_EQ(c.len(), 0u);
      EXPECT_EQ(c.cap(), static_cast<std::size_t>(cap));
      for (int i = 0; i < cap; ++i) c.send(i);
      EXPECT_EQ(c.len(), static_cast<std::size_t>(cap));
      EXPECT_EQ(c.cap(), static_cast<std::size_t>(cap));
      pirn::send_chan<int> in = c;
      pirn::recv_chan<int> out = c;
      EXPECT_EQ(in.len(), c.len());
      EXPECT_EQ(out.cap(), c.cap());
    });
  });
}

// Go: test/chan/fifo.go, the synchronous half: many senders, each allowed to send after the one before it.
TEST_P(chan, serves_a_relay_of_senders_in_order) {
  run([] {
    pirn::chan<int> values;
    pirn::chan<int> in;
    const pirn::chan<int> start = in;
    for (int i = 0; i < 10; ++i) {
      pirn::chan<int> out;
      pirn::go([=] {
        in.recv();
        EXPECT_EQ(values.recv(), i);
        out.send(1);
      });
      in = out;
    }
    start.send(0);
    for (int i = 0; i < 10; ++i) values.send(i);
    in.recv();
  });
}

// On one P the goroutines wait in the order in which they were let run.
TEST(chan_order, waiting_receivers_are_served_first_come_first_served) {
  run_on(1, [] {
    pirn::chan<int> c;
    std::vector<pirn::join_handle<int>> receivers;
    for (int i = 0; i < 20; ++i) {
      receivers.push_back(pirn::spawn([c] { return c.recv().value(); }));
      let_others_run(3);
    }
    for (int i = 0; i < 20; ++i) c.send(i);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(receivers[static_cast<std::size_t>(i)].get(), i);
  });
}

TEST(chan_order, waiting_senders_are_served_first_come_first_served) {
  for (const int cap : {0, 1, 3}) {
    run_on(1, [cap] {
      pirn::chan<int> c(cap);
      for (int i = 0; i < cap; ++i) c.send(i);
      for (int i = cap; i < 20; ++i) {
        pirn::go([=] { c.send(i); });
        let_others_run(3);
      }
      for (int i = 0; i < 20; ++i) EXPECT_EQ(c.recv(), i) << "capacity " << cap;
    });
  }
}

TEST(chan_order, a_value_sent_later_never_overtakes_a_waiting_sender) {
  run_on(1, [] {
    pirn::chan<int> c(1);
    c.send(0);
    pirn::go([=] { c.send(1); });
    let_others_run(3);
    EXPECT_EQ(c.recv(), 0);
    // The waiting sender's value took the free place.
    EXPECT_FALSE(c.try_send(2));
    EXPECT_EQ(c.recv(), 1);
    EXPECT_TRUE(c.try_send(2));
    EXPECT_EQ(c.recv(), 2);
  });
}

TEST(chan_order, try_operations_meet_parked_partners) {
  run_on(1, [] {
    pirn::chan<int> c;
    auto receiver = pirn::spawn([c] { return c.recv(); });
    let_others_run(3);
    EXPECT_TRUE(c.try_send(1));
    EXPECT_FALSE(c.try_send(2)) << "one receiver takes one value";
    EXPECT_EQ(receiver.get(), 1);
    auto sender = pirn::spawn([c] { c.send(3); });
    let_others_run(3);
    EXPECT_EQ(c.try_recv().value, 3);
    EXPECT_EQ(c.try_recv().status, pirn::chan_status::empty) << "one sender gives one value";
    sender.get();
  });
}

// Each receiver sees the values of each sender in that sender's order.
TEST_P(chan, keeps_each_senders_order_among_many) {
  run([] {
    struct item {
      int sender;
      int number;
    };
    for (const int cap : {0, 1, 7}) {
      pirn::chan<item> c(cap);
      pirn::wait_group senders;
      for (int s = 0; s < 3; ++s) {
        senders.go([=] {
          for (int i = 0; i < scaled(2000); ++i) c.send({s, i});
        });
      }
      std::vector<pirn::join_handle<bool>> receivers;
      for (int r = 0; r < 3; ++r) {
        receivers.push_back(pirn::spawn([c] {
          std::map<int, int> last{{0, -1}, {1, -1}, {2, -1}};
          bool in_order = true;
          for (const item& i : c) in_order &= std::exchange(last[i.sender], i.number) < i.number;
          return in_order;
        }));
      }
      senders.wait();
      c.close();
      for (auto& r : receivers) EXPECT_TRUE(r.get());
    }
  });
}

// Go: TestMultiConsumer
TEST_P(chan, many_consumers_get_everything) {
  run([] {
    constexpr int k_workers = 23;
    const int items = scaled(271828) / 2;
    const std::vector<int> primes = {2, 3, 7, 11, 13, 17, 19, 23, 27, 31};
    pirn::chan<int> in(k_workers * 3), out(k_workers * 3);
    pirn::wait_group wg;
    for (int i = 0; i < k_workers; ++i) {
      wg.go([&, i] {
        for (int v : in) {
          if (primes[static_cast<std::size_t>(i) % primes.size()] == v) pirn::runtime::gosched();
          out.send(v);
        }
      });
    }
    long expected = 0;
    pirn::go([&] {
      for (int i = 0; i < items; ++i) {
        const int v = primes[static_cast<std::size_t>(i) % primes.size()];
        expected += v;
        in.send(v);
      }
      in.close();
      wg.wait();
      out.close();
    });
    int n = 0;
    long sum = 0;
    for (int v : out) {
      ++n;
      sum += v;
    }
    EXPECT_EQ(n, items);
    EXPECT_EQ(sum, expected);
  });
}

// Go: test/chan/goroutines.go
TEST_P(chan, a_daisy_chain_of_thousands_passes_one_value_on) {
  run([] {
    const int links = scaled(10000);
    const pirn::chan<int> leftmost;
    pirn::chan<int> right = leftmost;
    for (int i = 0; i < links; ++i) {
      const pirn::chan<int> left = right;
      right = pirn::chan<int>();
      pirn::go([left, right] { left.send(1 + right.recv().value()); });
    }
    pirn::go([right] { right.send(1); });
    EXPECT_EQ(leftmost.recv(), links + 1);
  });
}

TEST_P(chan, ping_pong_takes_strict_turns) {
  run([] {
    for (const int cap : {0, 1}) {
      pirn::chan<int> ping(cap), pong(cap);
      pirn::go([=] {
        for (int v : ping) pong.send(v + 1);
        pong.close();
      });
      int v = 0;
      const int rounds = scaled(20000);
      for (int i = 0; i < rounds; ++i) {
        ping.send(v);
        v = pong.recv().value();
      }
      EXPECT_EQ(v, rounds);
      ping.close();
      EXPECT_EQ(pong.recv(), std::nullopt);
    }
  });
}

TEST(chan_handle, copies_share_one_channel) {
  run_on(1, [] {
    pirn::chan<int> a(2);
    const pirn::chan<int> b = a;
    a.send(1);
    EXPECT_EQ(b.len(), 1u);
    EXPECT_EQ(b.recv(), 1);
    pirn::chan<int> c;
    c = b;
    c.send(2);
    EXPECT_EQ(a.recv(), 2);
    b.close();
    EXPECT_TRUE(a.closed());
  });
}

TEST(chan_handle, compares_by_identity) {
  const pirn::chan<int> a(1), b(1), nil(nullptr), also_nil(nullptr);
  const pirn::chan<int> copy = a;
  EXPECT_TRUE(a == copy);
  EXPECT_FALSE(a == b);
  EXPECT_TRUE(a != b);
  EXPECT_TRUE(nil == also_nil);
  EXPECT_FALSE(a == nil);
  EXPECT_TRUE(pirn::send_chan<int>(a) == pirn::send_chan<int>(copy));
  EXPECT_FALSE(pirn::recv_chan<int>(a) == pirn::recv_chan<int>(b));
}

TEST(chan_handle, survives_self_assignment_and_swap) {
  run_on(1, [] {
    pirn::chan<int> a(1), b(1);
    pirn::chan<int>& alias = a;
    a = alias;
    a.send(1);
    b.send(2);
    std::swap(a, b);
    EXPECT_EQ(a.recv(), 2);
    EXPECT_EQ(b.recv(), 1);
  });
}

TEST(chan_handle, every_operation_is_const) {
  run_on(1, [] {
    const pirn::chan<int> c(1);
    c.send(1);
    EXPECT_FALSE(c.try_send(2));
    EXPECT_EQ(c.recv(), 1);
    EXPECT_EQ(c.try_recv().status, pirn::chan_status::empty);
    const pirn::send_chan<int> in = c;
    const pirn::recv_chan<int> out = c;
    in.send(3);
    EXPECT_EQ(out.recv(), 3);
    EXPECT_TRUE(in.try_send(4));
    EXPECT_EQ(out.try_recv().value, 4);
    in.close();
    for (int v : out) FAIL() << v;
    c.closed();
  });
}

TEST(chan_handle, one_way_views_convert_one_way) {
  static_assert(std::is_convertible_v<pirn::chan<int>, pirn::send_chan<int>>);
  static_assert(std::is_convertible_v<pirn::chan<int>, pirn::recv_chan<int>>);
  static_assert(!std::is_convertible_v<pirn::recv_chan<int>, pirn::send_chan<int>>);
  static_assert(!std::is_constructible_v<pirn::chan<int>, pirn::send_chan<int>>);
  static_assert(!std::is_constructible_v<pirn::chan<int>, pirn::recv_chan<int>>);
  // A view keeps the channel alive.
  run_on(1, [] {
    pirn::recv_chan<int> out = [] {
      const pirn::chan<int> c(1);
      c.send(6);
      return pirn::recv_chan<int>(c);
    }();
    EXPECT_EQ(out.recv(), 6);
  });
}

TEST(chan_capacity, may_be_of_any_integral_type) {
  EXPECT_EQ(pirn::chan<int>(0).cap(), 0u);
  EXPECT_EQ(pirn::chan<int>(3).cap(), 3u);
  EXPECT_EQ(pirn::chan<int>(3u).cap(), 3u);
  EXPECT_EQ(pirn::chan<int>(3L).cap(), 3u);
  EXPECT_EQ(pirn::chan<int>(3ULL).cap(), 3u);
  EXPECT_EQ(pirn::chan<int>(short{3}).cap(), 3u);
  EXPECT_EQ(pirn::chan<int>(std::uint8_t{200}).cap(), 200u);
  EXPECT_EQ(pirn::chan<int>(std::size_t{3}).cap(), 3u);
  const int variable = 0;
  EXPECT_EQ(pirn::chan<int>(variable).cap(), 0u);
  EXPECT_EQ(pirn::chan<int>().cap(), 0u);
  EXPECT_EQ(pirn::chan<int>(nullptr).cap(), 0u);
  EXPECT_EQ(pirn::chan<int>(nullptr).len(), 0u);
}

template <class Integer>
void expect_refused(Integer n) {
  try {
    pirn::chan<int> c(n);
    ADD_FAILURE() << "chan(" << n << ") was made";
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "makechan: size out of range");
  }
}

// Go: test/makechan.go
TEST(chan_capacity, that_is_negative_is_refused) {
  expect_refused(-1);
  expect_refused(short{-1});
  expect_refused(-5L);
  expect_refused(std::numeric_limits<int>::min());
  expect_refused(std::numeric_limits<long long>::min());
}

TEST(chan_capacity, that_no_memory_can_hold_is_refused) {
  expect_refused(std::numeric_limits<std::size_t>::max());
  expect_refused(std::numeric_limits<long long>::max());
  expect_refused(std::numeric_limits<std::size_t>::max() / sizeof(int) + 2);
}

TEST_P(chan, large_capacities_work) {
  run([] {
    constexpr int k_items = 300'000;
    pirn::chan<int> c(k_items);
    for (int i = 0; i < k_items; ++i) ASSERT_TRUE(c.try_send(i));
    EXPECT_FALSE(c.try_send(0));
    for (int i = 0; i < k_items; ++i) ASSERT_EQ(c.recv(), i);
  });
}

// A ring that is never quite empty and never quite full wraps round at every position.
TEST_P(chan, rings_wrap_round) {
  run([] {
    for (int cap = 1; cap < 20; ++cap) {
      pirn::chan<int> c(cap);
      int in = 0, out = 0;
      for (int step = 0; step < 200; ++step) {
        for (int i = 0; i < step % cap + 1 && c.try_send(in); ++i) ++in;
        for (int i = 0; i < (step * 7) % cap + 1; ++i) {
          const auto r = c.try_recv();
          if (r.status != pirn::chan_status::ok) break;
          ASSERT_EQ(r.value, out++);
        }
        ASSERT_EQ(c.len(), static_cast<std::size_t>(in - out));
      }
    }
  });
}

// Go: test/chan/select3.go, nilchan. What waits on the nil channel waits for ever.
TEST(chan_nil, blocks_for_ever) {
  std::atomic<int> went_on{0}, started{0};
  run_and_abandon(2, [&] {
    pirn::go([&] {
      ++started;
      pirn::chan<int>(nullptr).send(1);
      ++went_on;
    });
    pirn::go([&] {
      ++started;
      pirn::chan<int>(nullptr).recv();
      ++went_on;
    });
    pirn::go([&] {
      ++started;
      for (int v : pirn::chan<int>(nullptr)) went_on += v;
      ++went_on;
    });
    yield_until([&] { return started == 3; });
    let_others_run();
  });
  EXPECT_EQ(went_on, 0);
}

TEST(chan_nil, never_is_ready) {
  run_on(1, [] {
    const pirn::chan<int> nil(nullptr);
    EXPECT_FALSE(nil.try_send(1));
    EXPECT_EQ(nil.try_recv().status, pirn::chan_status::empty);
    EXPECT_FALSE(nil.closed());
  });
}

TEST_P(chan, many_use_one_channel_both_ways) {
  run([] {
    pirn::chan<int> c(3);
    pirn::wait_group wg;
    std::atomic<long> sum{0};
    const int each = scaled(2000);
    // Everyone sends before it receives, so no order of events leaves all of them waiting.
    for (int i = 0; i < 8; ++i) {
      wg.go([&] {
        for (int k = 0; k < each; ++k) {
          c.send(k);
          sum += c.recv().value();
        }
      });
    }
    wg.wait();
    EXPECT_EQ(c.len(), 0u);
    EXPECT_EQ(sum, 8L * each * (each - 1) / 2);
  });
}

}  // namespace
