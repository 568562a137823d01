// Closed and nil channels: what each operation does on them, what close() does to those who wait, and its errors.
// Layer: tests of src/sync, through the public headers.
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class chan_close : public on_procs {};
PIRN_TEST_ON_PROCS(chan_close);

template <class Error>
void expect_error(const char* text, const std::function<void()>& f) {
  try {
    f();
    ADD_FAILURE() << "nothing was thrown, expected: " << text;
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), text);
  }
}

void expect_send_on_closed(const std::function<void()>& f) {
  expect_error<pirn::closed_channel>("send on closed channel", f);
}
void expect_close_of_closed(const std::function<void()>& f) {
  expect_error<pirn::closed_channel>("close of closed channel", f);
}

TEST(chan_errors, form_one_family) {
  static_assert(std::is_base_of_v<std::logic_error, pirn::channel_error>);
  static_assert(std::is_base_of_v<pirn::channel_error, pirn::closed_channel>);
  static_assert(std::is_base_of_v<pirn::channel_error, pirn::nil_channel>);
}

// Everything that can be done to a closed, drained channel. Go: test/closedchan.go
void check_closed(const pirn::chan<int>& c) {
  EXPECT_TRUE(c.closed());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(c.recv(), std::nullopt);
    const auto r = c.try_recv();
    EXPECT_EQ(r.status, pirn::chan_status::closed);
    EXPECT_FALSE(r.value.has_value());

    std::optional<int> out = 5;
    EXPECT_EQ(pirn::select(pirn::recv(c, out)), 0);
    EXPECT_EQ(out, std::nullopt);
    out = 5;
    EXPECT_EQ(pirn::select(pirn::recv(c, out), pirn::otherwise), 0) << "a closed channel is always ready";
    EXPECT_EQ(out, std::nullopt);
    EXPECT_EQ(pirn::select(pirn::recv(c, out), pirn::recv(pirn::chan<int>())), 0);

    int v = 5;
    bool ok = true;
    EXPECT_EQ(pirn::select(pirn::recv(c, v, ok)), 0);
    EXPECT_FALSE(ok);
  }
  for (int v : c) ADD_FAILURE() << "a closed channel gave " << v;

  expect_send_on_closed([&] { c.send(1); });
  expect_send_on_closed([&] { c.try_send(1); });
  expect_send_on_closed([&] { pirn::select(pirn::send(c, 1)); });
  expect_send_on_closed([&] { pirn::select(pirn::send(c, 1), pirn::otherwise); });
  expect_send_on_closed([&] { pirn::select(pirn::send(c, 1), pirn::recv(pirn::chan<int>())); });
  expect_close_of_closed([&] { c.close(); });
  expect_close_of_closed([&] { pirn::send_chan<int>(c).close(); });
  EXPECT_EQ(c.recv(), std::nullopt) << "unchanged by all that";
}

TEST_P(chan_close, an_unbuffered_one_is_closed_for_good) {
  run([] {
    pirn::chan<int> c;
    EXPECT_FALSE(c.closed());
    c.close();
    check_closed(c);
  });
}

TEST_P(chan_close, a_buffered_one_is_closed_for_good) {
  run([] {
    pirn::chan<int> c(2);
    c.close();
    check_closed(c);
  });
}

// Go: TestChan, "ensure that close drains in order, then gives zero, false"
TEST_P(chan_close, what_is_buffered_still_comes_out) {
  run([] {
    for (int cap = 1; cap < 40; ++cap) {
      pirn::chan<int> c(cap);
      for (int i = 0; i < cap; ++i) c.send(i);
      c.close();
      EXPECT_EQ(c.len(), static_cast<std::size_t>(cap));
      expect_send_on_closed([&] { c.send(1); });
      for (int i = 0; i < cap; ++i) {
        switch (i % 4) {
          case 0:
            ASSERT_EQ(c.recv(), i);
            break;
          case 1: {
            const auto r = c.try_recv();
            ASSERT_EQ(r.status, pirn::chan_status::ok);
            ASSERT_EQ(r.value, i);
            break;
          }
          case 2: {
            int v = -1;
            bool ok = false;
            pirn::select(pirn::recv(c, v, ok));
            ASSERT_TRUE(ok);
            ASSERT_EQ(v, i);
            break;
          }
          default: {
            std::optional<int> v;
            pirn::select(pirn::recv(c, v), pirn::otherwise);
            ASSERT_EQ(v, i);
          }
        }
      }
      check_closed(c);
    }
  });
}

TEST_P(chan_close, ends_a_range_for) {
  run([] {
    pirn::chan<int> c(3);
    pirn::go([c] {
      for (int i = 0; i < 10; ++i) c.send(i);
      c.close();
    });
    int next = 0;
    for (int v : c) EXPECT_EQ(v, next++);
    EXPECT_EQ(next, 10);
    for (int v : pirn::recv_chan<int>(c)) ADD_FAILURE() << v;
  });
}

// Go: TestChan, "ensure that close wakes a blocked receiver"
TEST_P(chan_close, wakes_every_receiver) {
  run([] {
    for (const int cap : {0, 1}) {
      pirn::chan<int> c(cap);
      std::vector<pirn::join_handle<void>> all;
      for (int i = 0; i < 10; ++i) {
        all.push_back(pirn::spawn([c] { EXPECT_EQ(c.recv(), std::nullopt); }));
        all.push_back(pirn::spawn([c] {
          std::optional<int> out = 1;
          EXPECT_EQ(pirn::select(pirn::recv(c, out)), 0);
          EXPECT_EQ(out, std::nullopt);
        }));
        all.push_back(pirn::spawn([c] {
          int v = 0;
          bool ok = true;
          EXPECT_EQ(pirn::select(pirn::recv(pirn::chan<int>()), pirn::recv(c, v, ok)), 1);
          EXPECT_FALSE(ok);
        }));
        all.push_back(pirn::spawn([c] {
          for (int v : c) ADD_FAILURE() << v;
        }));
      }
      let_others_run();
      c.close();
      for (auto& h : all) h.get();
    }
  });
}

TEST_P(chan_close, throws_in_every_waiting_sender) {
  run([] {
    for (const int cap : {0, 2}) {
      pirn::chan<int> c(cap);
      for (int i = 0; i < cap; ++i) c.send(i);
      std::vector<pirn::join_handle<void>> all;
      for (int i = 0; i < 10; ++i) {
        all.push_back(pirn::spawn([c] { expect_send_on_closed([&] { c.send(7); }); }));
        all.push_back(pirn::spawn([c] { expect_send_on_closed([&] { pirn::select(pirn::send(c, 7)); }); }));
        all.push_back(pirn::spawn(
            [c] { expect_send_on_closed([&] { pirn::select(pirn::recv(pirn::chan<int>()), pirn::send(c, 7)); }); }));
      }
      let_others_run();
      c.close();
      for (auto& h : all) h.get();
      for (int i = 0; i < cap; ++i) EXPECT_EQ(c.recv(), i) << "what was in the buffer stays";
      EXPECT_EQ(c.recv(), std::nullopt) << "a refused value came out";
    }
  });
}

TEST_P(chan_close, goes_on_to_work_while_a_close_error_is_handled) {
  run([] {
    pirn::chan<int> c;
    c.close();
    try {
      c.close();
      ADD_FAILURE() << "closing twice is an error";
    } catch (const pirn::channel_error&) {
      EXPECT_EQ(c.recv(), std::nullopt);
      EXPECT_EQ(pirn::spawn([] { return 1; }).get(), 1);
    }
  });
}

// Of many who close at once, one succeeds.
TEST_P(chan_close, exactly_one_of_many_closers_succeeds) {
  run([] {
    for (int round = 0; round < 50; ++round) {
      pirn::chan<int> c;
      std::atomic<int> closed{0}, refused{0};
      pirn::wait_group wg;
      for (int i = 0; i < 6; ++i) {
        wg.go([&] {
          try {
            c.close();
            ++closed;
          } catch (const pirn::closed_channel&) {
            ++refused;
          }
        });
      }
      wg.wait();
      EXPECT_EQ(closed, 1);
      EXPECT_EQ(refused, 5);
    }
  });
}

// Go: TestNonblockRecvRace. A channel that holds a value and is then closed is ready at any instant.
TEST_P(chan_close, a_try_recv_beside_close_never_finds_nothing) {
  run([] {
    for (int i = 0; i < scaled(6000); ++i) {
      pirn::chan<int> c(1);
      c.send(1);
      auto h = pirn::spawn([c, i] {
        return i % 2 == 0 ? c.try_recv().status != pirn::chan_status::empty
                          : pirn::select(pirn::recv(c), pirn::otherwise) == 0;
      });
      c.close();
      c.recv();
      ASSERT_TRUE(h.get());
    }
  });
}

// Go: TestNonblockSelectRace and its second form: one of the two channels is ready at any instant.
TEST_P(chan_close, a_select_with_default_sees_the_channel_that_is_ready) {
  run([] {
    for (int i = 0; i < scaled(3000); ++i) {
      pirn::chan<int> first(1), second(1);
      first.send(1);
      auto h = pirn::spawn([=] { return pirn::select(pirn::recv(first), pirn::recv(second), pirn::otherwise) != 2; });
      second.send(1);
      first.try_recv();
      ASSERT_TRUE(h.get());
    }
    for (int i = 0; i < scaled(3000); ++i) {
      pirn::chan<int> first(1), second;
      first.send(1);
      auto h = pirn::spawn([=] { return pirn::select(pirn::recv(first), pirn::recv(second), pirn::otherwise) != 2; });
      second.close();
      first.try_recv();
      ASSERT_TRUE(h.get());
    }
  });
}

// Values sent before the close are received, those refused are not: nothing is lost or invented.
TEST_P(chan_close, beside_senders_loses_and_invents_nothing) {
  run([] {
    for (int round = 0; round < scaled(200); ++round) {
      pirn::chan<int> c(round % 3);
      std::atomic<int> sent{0};
      pirn::wait_group wg;
      for (int i = 0; i < 4; ++i) {
        wg.go([&] {
          try {
            for (;;) {
              c.send(1);
              ++sent;
            }
          } catch (const pirn::closed_channel&) {
          }
        });
      }
      int received = 0;
      for (int i = 0; i < 20; ++i) received += c.recv().value();
      c.close();
      for (int v : c) received += v;
      wg.wait();
      ASSERT_EQ(received, sent);
    }
  });
}

TEST(chan_nil_close, is_an_error) {
  run_on(1, [] {
    const pirn::chan<int> nil(nullptr);
    const pirn::send_chan<int> in = nil;
    expect_error<pirn::nil_channel>("close of nil channel", [&] { nil.close(); });
    expect_error<pirn::nil_channel>("close of nil channel", [&] { in.close(); });
    expect_error<pirn::nil_channel>("close of nil channel", [] { pirn::chan<void>(nullptr).close(); });
  });
}

TEST_P(chan_close, works_for_void) {
  run([] {
    pirn::chan<void> c(2);
    c.send();
    c.close();
    EXPECT_TRUE(c.recv());
    EXPECT_FALSE(c.recv());
    EXPECT_EQ(c.try_recv().status, pirn::chan_status::closed);
    expect_send_on_closed([&] { c.send(); });
    expect_send_on_closed([&] { c.try_send(); });
    expect_send_on_closed([&] { pirn::select(pirn::send(c)); });
    expect_close_of_closed([&] { c.close(); });
  });
}

}  // namespace
