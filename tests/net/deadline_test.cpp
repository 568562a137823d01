// Deadlines of sockets: past means now, and they may be moved from anywhere at any time.
// Layer: tests of src/net and src/sync/pollable.cpp, through the public headers.
#include <pirn/net.h>

#include <random>
#include <thread>
#include <vector>

#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;
namespace net = pirn::net;

struct two_ends {
  net::conn here;
  net::conn there;
};

two_ends connected() {
  net::listener l = net::listen("tcp", "127.0.0.1:0");
  two_ends e;
  e.here = net::dial("tcp", l.addr());
  e.there = l.accept();
  return e;
}

std::error_code read_error(net::conn& c) {
  char buffer[16];
  std::error_code ec;
  c.read(buffer, ec);
  return ec;
}

class deadline : public on_procs {};
PIRN_TEST_ON_PROCS(deadline);

TEST_P(deadline, ends_a_read_when_it_passes_and_not_before) {
  run([] {
    for (const auto d : {std::chrono::nanoseconds(1), std::chrono::nanoseconds(50us), std::chrono::nanoseconds(20ms)}) {
      auto [a, b] = connected();
      const auto began = pirn::now();
      a.set_read_deadline(began + d);
      EXPECT_EQ(read_error(a), std::errc::timed_out);
      EXPECT_GE(pirn::now() - began, d);
      EXPECT_EQ(read_error(a), std::errc::timed_out);
    }
  });
}

TEST_P(deadline, in_the_past_ends_who_waits_and_all_that_follow_at_once) {
  run([] {
    auto [a, b] = connected();
    auto reader = pirn::spawn([&a = a] { return read_error(a); });
    let_others_run();
    a.set_deadline(pirn::time_point());
    EXPECT_EQ(reader.get(), std::errc::timed_out);
    b.write("there is something to read");
    EXPECT_EQ(read_error(a), std::errc::timed_out);
    std::error_code ec;
    EXPECT_EQ(a.write("x", ec), 0U);
    EXPECT_EQ(ec, std::errc::timed_out);
  });
}

TEST_P(deadline, moved_out_lets_calls_succeed_again) {
  run([] {
    auto [a, b] = connected();
    a.set_deadline(pirn::now() - 1s);
    EXPECT_EQ(read_error(a), std::errc::timed_out);
    a.set_deadline(net::no_deadline);
    b.write("x");
    EXPECT_FALSE(read_error(a));
    a.set_read_deadline(std::chrono::system_clock::now() + 1h);
    b.write("y");
    EXPECT_FALSE(read_error(a));
  });
}

TEST_P(deadline, of_one_direction_leaves_the_other_alone) {
  run([] {
    auto [a, b] = connected();
    a.set_read_deadline(pirn::now() - 1s);
    EXPECT_EQ(a.write("x"), 1U);
    EXPECT_EQ(read_error(a), std::errc::timed_out);
    a.set_read_deadline(net::no_deadline);
    a.set_write_deadline(pirn::now() - 1s);
    std::error_code ec;
    a.write("y", ec);
    EXPECT_EQ(ec, std::errc::timed_out);
    b.write("z");
    EXPECT_FALSE(read_error(a));
  });
}

TEST_P(deadline, ends_a_write_that_nobody_reads) {
  run([] {
    auto [a, b] = connected();
    const std::vector<char> much(1 << 20);
    a.set_write_deadline(pirn::now() + 10ms);
    std::error_code ec;
    std::size_t written = 0;
    while (!ec) written += a.write(much, ec);
    EXPECT_EQ(ec, std::errc::timed_out);
    EXPECT_GT(written, 0U);
  });
}

TEST_P(deadline, ends_an_accept) {
  run([] {
    net::listener l = net::listen("tcp", "127.0.0.1:0");
    l.set_deadline(pirn::now() + 1ms);
    std::error_code ec;
    l.accept(ec);
    EXPECT_EQ(ec, std::errc::timed_out);
    l.set_deadline(net::no_deadline);
    net::conn c = net::dial("tcp", l.addr());
    l.accept(ec);
    EXPECT_FALSE(ec);
  });
}

// What a server does: a new one before each call, none of which passes.
TEST_P(deadline, may_be_set_for_every_call) {
  run([] {
    auto [a, b] = connected();
    for (int i = 0; i < scaled(1000); ++i) {
      a.set_deadline(pirn::now() + 1h);
      b.set_deadline(pirn::now() + 1h);
      a.write("x");
      char buffer[1];
      ASSERT_EQ(b.read(buffer), 1U);
      b.write("y");
      ASSERT_EQ(a.read(buffer), 1U);
    }
  });
}

// Readers wait while others move their deadlines to and fro, in the end into the past; data come and connections close
// meanwhile. Every reader ends.
TEST_P(deadline, moved_by_others_all_the_time_ends_every_reader) {
  run([] {
    auto random = random_for(static_cast<std::uint64_t>(pirn::runtime::gomaxprocs()));
    for (int round = 0; round < scaled(60); ++round) {
      auto e = connected();
      std::atomic<int> bytes{0};
      auto reader = pirn::spawn([&] {
        std::error_code ec;
        char buffer[4];
        for (;;) {
          const std::size_t n = e.here.read(buffer, ec);
          if (ec == std::errc::timed_out) {
            pirn::runtime::gosched();
            continue;
          }
          if (ec || n == 0) return;
          bytes += static_cast<int>(n);
        }
      });
      pirn::wait_group wg;
      for (int k = 0; k < 3; ++k) {
        wg.go([&, seed = random()] {
          std::minstd_rand r(seed);
          for (int i = 0; i < 30; ++i) {
            switch (r() % 4) {
              case 0:
                e.here.set_read_deadline(pirn::now() + std::chrono::microseconds(r() % 200));
                break;
              case 1:
                e.here.set_deadline(net::no_deadline);
                break;
              case 2:
                e.here.set_read_deadline(pirn::now() - 1ms);
                break;
              default:
                e.there.write("ab");
            }
            if (r() % 3 == 0) pirn::runtime::gosched();
          }
        });
      }
      std::thread outside([&] {
        for (int i = 0; i < 20; ++i) e.here.set_read_deadline(pirn::now() + std::chrono::microseconds(50));
      });
      wg.wait();
      join(outside);
      e.here.set_deadline(net::no_deadline);
      if (round % 2 == 0) {
        e.there.close();
      } else {
        e.here.close();
      }
      reader.get();
    }
  });
}

TEST_P(deadline, may_be_moved_under_a_thread_that_waits) {
  run([] {
    auto [a, b] = connected();
    a.set_read_deadline(pirn::now() + 1h);
    std::error_code ec;
    std::thread reader([&, &a = a] { ec = read_error(a); });
    let_others_run();
    a.set_read_deadline(pirn::now() + 1ms);
    join(reader);
    EXPECT_EQ(ec, std::errc::timed_out);
  });
}

}  // namespace
