// Connections: streams and datagrams in blocking style, their ends, their errors.
// Layer: tests of src/net, through the public headers.
#include <fcntl.h>
#include <pirn/net.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "support/proc.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;
namespace net = pirn::net;

struct two_ends {
  net::conn here;
  net::conn there;
};

two_ends connected(const std::string& network = "tcp", const std::string& at = "127.0.0.1:0") {
  net::listener l = net::listen(network, at);
  two_ends e;
  e.here = net::dial(network, l.addr());
  e.there = l.accept();
  return e;
}

std::string temporary_path(const char* name) {
  return (std::filesystem::temp_directory_path() / ("pirn-" + std::to_string(getpid()) + "-" + name)).string();
}

std::string read_all_of(net::conn& c) {
  std::string all;
  char buffer[1000];
  while (const std::size_t n = c.read(buffer)) all.append(buffer, n);
  return all;
}

class conn : public on_procs {};
PIRN_TEST_ON_PROCS(conn);

TEST_P(conn, carries_bytes_both_ways) {
  run([] {
    auto [a, b] = connected();
    a.write("ping");
    char buffer[16];
    ASSERT_EQ(b.read(buffer), 4U);
    EXPECT_EQ(std::string(buffer, 4), "ping");
    b.write(std::string("pong!"));
    ASSERT_EQ(a.read_full(pirn::mutable_bytes(buffer, 5)), 5U);
    EXPECT_EQ(std::string(buffer, 5), "pong!");
  });
}

TEST_P(conn, read_parks_until_there_are_bytes) {
  run([] {
    auto [a, b] = connected();
    auto reader = pirn::spawn([&b = b] {
      char buffer[16];
      return b.read(buffer);
    });
    let_others_run();
    EXPECT_FALSE(reader.ready());
    a.write("abc");
    EXPECT_EQ(reader.get(), 3U);
  });
}

TEST_P(conn, writes_all_of_what_is_more_than_the_kernel_takes) {
  run([] {
    auto [a, b] = connected();
    std::vector<unsigned char> data(static_cast<std::size_t>(scaled(8 << 20)));
    std::iota(data.begin(), data.end(), 0);
    auto writer = pirn::spawn([&, &a = a] {
      const std::size_t n = a.write(data);
      a.close_write();
      return n;
    });
    std::vector<unsigned char> got(data.size());
    EXPECT_EQ(b.read_full(got), data.size());
    EXPECT_EQ(got, data);
    char more[1];
    EXPECT_EQ(b.read(more), 0U);
    EXPECT_EQ(writer.get(), data.size());
  });
}

TEST_P(conn, writev_sends_the_pieces_in_order) {
  run([] {
    auto [a, b] = connected();
    std::string expected;
    constexpr int k_pieces = 2000;
    std::vector<std::string> texts;
    texts.reserve(k_pieces);
    for (int i = 0; i < k_pieces; ++i)
      texts.emplace_back(static_cast<std::size_t>(i % 300), static_cast<char>('a' + i % 26));
    std::vector<pirn::const_bytes> pieces;
    pieces.reserve(texts.size());
    for (const std::string& t : texts) {
      pieces.emplace_back(t);
      expected += t;
    }
    auto writer = pirn::spawn([&, &a = a] {
      const std::size_t n = a.writev(pieces);
      a.close_write();
      return n;
    });
    EXPECT_EQ(read_all_of(b), expected);
    EXPECT_EQ(writer.get(), expected.size());
    EXPECT_EQ(b.writev({}), 0U);
  });
}

TEST_P(conn, half_closed_one_still_reads) {
  run([] {
    auto [a, b] = connected();
    a.write("question");
    a.close_write();
    EXPECT_EQ(read_all_of(b), "question");
    b.write("answer");
    b.close();
    EXPECT_EQ(read_all_of(a), "answer");
    std::error_code ec;
    a.write("late", ec);
    EXPECT_EQ(ec, std::errc::broken_pipe);
  });
}

// The end may have been reported with the last bytes already, which were read in part.
TEST_P(conn, sees_the_end_after_a_short_read) {
  run([] {
    for (int i = 0; i < scaled(300); ++i) {
      auto [a, b] = connected();
      auto writer = pirn::spawn([&a = a] {
        a.write("x");
        pirn::runtime::gosched();
        a.close();
      });
      char buffer[64];
      EXPECT_EQ(b.read(buffer), 1U);
      EXPECT_EQ(b.read(buffer), 0U);
      writer.get();
    }
  });
}

TEST_P(conn, reads_and_writes_of_nothing_do_not_wait) {
  run([] {
    auto [a, b] = connected();
    EXPECT_EQ(a.read(pirn::mutable_bytes()), 0U);
    EXPECT_EQ(a.read_full(pirn::mutable_bytes()), 0U);
    EXPECT_EQ(a.write(""), 0U);
    b.write("x");
    char one[1];
    EXPECT_EQ(a.read(one), 1U);
  });
}

TEST_P(conn, tells_when_the_stream_ends_in_the_middle) {
  run([] {
    auto [a, b] = connected();
    a.write("abc");
    a.close();
    char buffer[8];
    std::error_code ec;
    EXPECT_EQ(b.read_full(buffer, ec), 3U);
    EXPECT_EQ(ec, net::net_errc::unexpected_end);
    EXPECT_EQ(b.read_full(buffer, ec), 0U);
    EXPECT_FALSE(ec);
  });
}

TEST_P(conn, reset_by_the_other_side_is_an_error_for_who_reads) {
  run([] {
    auto [a, b] = connected();
    auto reader = pirn::spawn([&b = b] {
      char buffer[8];
      std::error_code ec;
      b.read(buffer, ec);
      return ec;
    });
    let_others_run();
    const linger at_once{1, 0};
    setsockopt(a.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    a.close();
    EXPECT_EQ(reader.get(), std::errc::connection_reset);
  });
}

TEST_P(conn, close_ends_both_who_reads_and_who_writes) {
  run([] {
    for (int i = 0; i < scaled(200); ++i) {
      auto [a, b] = connected();
      auto reader = pirn::spawn([&a = a] {
        char buffer[8];
        std::error_code ec;
        a.read(buffer, ec);
        return ec;
      });
      auto writer = pirn::spawn([&a = a] {
        const std::vector<char> much(16 << 20);
        std::error_code ec;
        while (!ec) a.write(much, ec);
        return ec;
      });
      let_others_run(i % 20);
      a.close();
      EXPECT_EQ(reader.get(), net::net_errc::closed);
      EXPECT_EQ(writer.get(), net::net_errc::closed);
    }
  });
}

TEST_P(conn, everything_on_a_closed_one_says_so) {
  run([] {
    auto [a, b] = connected();
    a.close();
    char buffer[8];
    std::error_code ec;
    a.read(buffer, ec);
    EXPECT_EQ(ec, net::net_errc::closed);
    a.write("x", ec);
    EXPECT_EQ(ec, net::net_errc::closed);
    a.writev({}, ec);
    EXPECT_EQ(ec, net::net_errc::closed);
    a.close_write(ec);
    EXPECT_EQ(ec, net::net_errc::closed);
    a.set_deadline(pirn::now(), ec);
    EXPECT_EQ(ec, net::net_errc::closed);
    a.close(ec);
    EXPECT_EQ(ec, net::net_errc::closed);
    EXPECT_THROW(a.read(buffer), std::system_error);
    EXPECT_THROW(a.close(), std::system_error);
    EXPECT_EQ(a.native_handle(), -1);
    EXPECT_TRUE(a.local_addr().empty());
    net::conn none;
    none.read(buffer, ec);
    EXPECT_EQ(ec, net::net_errc::closed);
    try {
      none.write("x");
    } catch (const std::system_error& e) {
      EXPECT_NE(std::string(e.what()).find("use of closed network connection"), std::string::npos);
    }
  });
}

TEST_P(conn, moves_and_closes_itself) {
  run([] {
    const int before = count_descriptors();
    {
      auto [a, b] = connected();
      net::conn c = std::move(a);
      c.write("x");
      b = net::conn();
      char buffer[4];
      std::error_code ec;
      c.read(buffer, ec);
    }
    EXPECT_LE(count_descriptors(), before + 2);  // the poller's own two, by its first use
  });
}

TEST_P(conn, knows_its_addresses) {
  run([] {
    net::listener l = net::listen("tcp", "127.0.0.1:0");
    EXPECT_EQ(l.addr().host(), "127.0.0.1");
    EXPECT_NE(l.addr().port(), 0);
    net::conn c = net::dial("tcp", l.addr().to_string());
    net::conn s = l.accept();
    EXPECT_EQ(c.remote_addr(), l.addr());
    EXPECT_EQ(c.local_addr().to_string(), s.remote_addr().to_string());
    const std::string text = c.remote_addr();
    EXPECT_EQ(text, "127.0.0.1:" + std::to_string(l.addr().port()));
  });
}

TEST_P(conn, unix_streams_too) {
  run([] {
    const std::string path = temporary_path("stream");
    for (const std::string& at : {path, std::string("@pirn-test-") + std::to_string(getpid())}) {
      net::listener l = net::listen("unix", at);
      EXPECT_EQ(l.addr().to_string(), at);
      net::conn a = net::dial("unix", at);
      net::conn b = l.accept();
      a.write("over unix");
      a.close();
      EXPECT_EQ(read_all_of(b), "over unix");
      l.close();
    }
    EXPECT_NE(access(path.c_str(), F_OK), 0);
  });
}

TEST_P(conn, unix_socket_passes_descriptors) {
  run([] {
    auto [a, b] = connected("unix", "@pirn-fds-" + std::to_string(getpid()));
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    a.write_descriptors(ends, "two");
    close(ends[0]);
    close(ends[1]);
    int got[2] = {-1, -1};
    std::size_t count = 0;
    char buffer[8];
    EXPECT_EQ(b.read_descriptors(buffer, got, count), 3U);
    ASSERT_EQ(count, 2U);
    EXPECT_EQ(write(got[1], "z", 1), 1);
    EXPECT_EQ(read(got[0], buffer, 8), 1);
    EXPECT_EQ(buffer[0], 'z');
    // More than there is room for: closed, and said so.
    const int before = count_descriptors();
    a.write_descriptors(got, "again");
    int one[1];
    std::error_code ec;
    EXPECT_EQ(b.read_descriptors(buffer, one, count, ec), 5U);
    EXPECT_EQ(ec, std::errc::message_size);
    EXPECT_EQ(count, 1U);
    EXPECT_EQ(count_descriptors(), before + 1);
    for (const int fd : {got[0], got[1], one[0]}) close(fd);
  });
}

TEST_P(conn, takes_a_socket_of_the_program) {
  run([] {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    net::conn a = net::conn::from_native(ends[0]);
    net::conn b = net::conn::from_native(ends[1]);
    auto reader = pirn::spawn([&] { return read_all_of(b); });
    let_others_run();
    a.write("native");
    a.close();
    EXPECT_EQ(reader.get(), "native");
    std::error_code ec;
    net::conn::from_native(-1, ec);
    EXPECT_EQ(ec, std::errc::bad_file_descriptor);
  });
}

TEST_P(conn, many_goroutines_echo_at_once) {
  run([] {
    net::listener l = net::listen("tcp", "127.0.0.1:0");
    pirn::wait_group wg;
    wg.go([&] {
      for (;;) {
        std::error_code ec;
        net::conn c = l.accept(ec);
        if (ec) return;
        wg.go([c = std::move(c)]() mutable {
          char buffer[512];
          while (const std::size_t n = c.read(buffer)) c.write(pirn::const_bytes(buffer, n));
        });
      }
    });
    pirn::wait_group clients;
    std::atomic<int> right{0};
    for (int i = 0; i < 50; ++i) {
      clients.go([&, i] {
        net::conn c = net::dial("tcp", l.addr());
        for (int k = 0; k < scaled(100); ++k) {
          const std::string text = std::to_string(i) + ":" + std::to_string(k);
          c.write(text);
          std::string back(text.size(), '\0');
          if (c.read_full(back) == text.size() && back == text) ++right;
        }
      });
    }
    clients.wait();
    l.close();
    wg.wait();
    EXPECT_EQ(right, 50 * scaled(100));
  });
}

TEST_P(conn, works_between_threads_and_goroutines) {
  run([] {
    net::listener l = net::listen("tcp", "127.0.0.1:0");
    const net::address at = l.addr();
    std::thread client([&] {
      net::conn c = net::dial("tcp", at);
      for (int i = 0; i < 50; ++i) {
        c.write("0123456789");
        char buffer[10];
        ASSERT_EQ(c.read_full(buffer), 10U);
      }
      c.set_read_deadline(pirn::now() + 1ms);
      char buffer[1];
      std::error_code ec;
      c.read(buffer, ec);
      EXPECT_EQ(ec, std::errc::timed_out);
    });
    net::conn s = l.accept();
    char buffer[10];
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(s.read_full(buffer), 10U);
      s.write(buffer);
    }
    EXPECT_EQ(s.read(buffer), 0U);
    join(client);
  });
}

TEST_P(conn, thread_that_waits_is_ended_by_close) {
  run([] {
    auto [a, b] = connected();
    std::error_code ec;
    std::thread reader([&, &a = a] {
      char buffer[1];
      a.read(buffer, ec);
    });
    let_others_run();
    a.close();
    join(reader);
    EXPECT_EQ(ec, net::net_errc::closed);
  });
}

TEST(conn_outside_a_run, outlives_one_and_works_without) {
  net::conn a;
  net::conn b;
  run_on(2, [&] {
    auto e = connected();
    a = std::move(e.here);
    b = std::move(e.there);
    auto reader = pirn::spawn([&] {
      char buffer[4];
      return b.read(buffer);
    });
    let_others_run();
    a.write("x");
    EXPECT_EQ(reader.get(), 1U);
  });
  a.write("y");
  char buffer[4];
  EXPECT_EQ(b.read(buffer), 1U);
  // Another run, another poller.
  run_on(1, [&] {
    auto reader = pirn::spawn([&] {
      char c[4];
      return b.read(c);
    });
    let_others_run();
    a.write("z");
    EXPECT_EQ(reader.get(), 1U);
  });
}

TEST(conn_outside_a_run, gives_everything_back_also_from_abandoned_readers) {
  run_on(1, [] { pirn::runtime::stack(true); });  // keeps a descriptor from its first time on
  const int before = count_descriptors();
  {
    net::conn kept;
    net::conn silent;
    run_and_abandon(1, [&] {
      auto e = connected();
      kept = std::move(e.here);
      silent = std::move(e.there);
      pirn::go([&] {
        char buffer[4];
        kept.read(buffer);
      });
      yield_until([] { return pirn::runtime::stack(true).find("[IO wait") != std::string::npos; });
    });
    kept.close();
  }
  EXPECT_EQ(count_descriptors(), before);
}

TEST(conn_unwinding, destructors_may_write_and_read) {
  std::string got;
  std::atomic<bool> made{false};
  pirn::config c = with_procs(2);
  c.at_exit = pirn::at_exit::unwind;
  pirn::run(c, [&] {
    struct says_goodbye {
      net::conn a;
      net::conn b;
      std::string& got;
      ~says_goodbye() {
        a.write("goodbye");
        a.close();
        got = read_all_of(b);
      }
    };
    pirn::go([&] {
      auto e = connected();
      const says_goodbye s{std::move(e.here), std::move(e.there), got};
      made = true;
      pirn::chan<void>().recv();
    });
    yield_until([&] { return made.load(); });
  });
  EXPECT_EQ(got, "goodbye");
}

}  // namespace
