// Listening, dialling and names: what there is, what there is not, and what a shortage of descriptors does.
// Layer: tests of src/net, through the public headers.
#include <fcntl.h>
#include <netdb.h>
#include <pirn/net.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/proc.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;
namespace net = pirn::net;

class listener : public on_procs {};
PIRN_TEST_ON_PROCS(listener);

TEST_P(listener, close_ends_everybody_who_accepts) {
  run([] {
    net::listener l = net::listen("tcp", "127.0.0.1:0");
    constexpr int k_accepting = 5;
    std::vector<pirn::join_handle<std::error_code>> waiting;
    waiting.reserve(k_accepting);
    for (int i = 0; i < k_accepting; ++i) {
      waiting.push_back(pirn::spawn([&] {
        std::error_code ec;
        l.accept(ec);
        return ec;
      }));
    }
    let_others_run();
    l.close();
    for (auto& h : waiting) EXPECT_EQ(h.get(), net::net_errc::closed);
    std::error_code ec;
    l.accept(ec);
    EXPECT_EQ(ec, net::net_errc::closed);
  });
}

TEST_P(listener, port_is_free_again_when_it_is_closed) {
  run([] {
    for (int i = 0; i < scaled(50); ++i) {
      net::listener l = net::listen("tcp", "127.0.0.1:0");
      auto acceptor = pirn::spawn([&] {
        std::error_code ec;
        l.accept(ec);
      });
      let_others_run(i % 5);
      const std::string at = l.addr();
      l.close();
      const net::listener again = net::listen("tcp", at);
      acceptor.get();
    }
  });
}

TEST_P(listener, several_goroutines_share_the_connections) {
  run([] {
    net::listener l = net::listen("tcp", "127.0.0.1:0");
    const int n = scaled(200);
    std::atomic<int> accepted{0};
    pirn::wait_group wg;
    for (int i = 0; i < 4; ++i) {
      wg.go([&] {
        for (;;) {
          std::error_code ec;
          const net::conn c = l.accept(ec);
          if (ec) return;
          if (++accepted == n) l.close(ec);
        }
      });
    }
    std::vector<net::conn> kept;
    kept.reserve(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) kept.push_back(net::dial("tcp", l.addr()));
    wg.wait();
    EXPECT_EQ(accepted, n);
  });
}

TEST_P(listener, reuse_port_lets_two_listen_on_one) {
  run([] {
    net::listen_options o;
    o.reuse_port = true;
    o.backlog = 16;
    const net::listener a = net::listen("tcp", "127.0.0.1:0", o);
    const std::string at = a.addr();
    const net::listener b = net::listen("tcp", at, o);
    std::error_code ec;
    net::listen("tcp", at, ec);
    EXPECT_EQ(ec, std::errc::address_in_use);
  });
}

TEST_P(listener, without_a_host_takes_both_families) {
  run([] {
    net::listener l = net::listen("tcp", ":0");
    const std::string port = std::to_string(l.addr().port());
    std::error_code ec;
    net::conn four = net::dial("tcp4", "127.0.0.1:" + port);
    net::conn accepted = l.accept();
    EXPECT_EQ(accepted.remote_addr().host(), "127.0.0.1");
    net::conn six = net::dial("tcp6", "[::1]:" + port, ec);
    if (!ec) {
      EXPECT_EQ(l.accept().remote_addr().host(), "::1");
    }
    net::conn here = net::dial("tcp", ":" + port);
    l.accept();
  });
}

TEST_P(listener, name_of_this_machine_resolves) {
  if (getservbyname("http", "tcp") == nullptr || gethostbyname("localhost") == nullptr) {
    GTEST_SKIP() << "a machine without /etc/services or /etc/hosts";
  }
  run([] {
    net::listener l = net::listen("tcp", "localhost:0");
    EXPECT_EQ(l.addr().host(), "127.0.0.1");
    // The listener is on one family only: the other one is refused, and the first answers.
    net::conn c = net::dial("tcp", "localhost:" + std::to_string(l.addr().port()));
    l.accept().write("hello");
    char buffer[5];
    EXPECT_EQ(c.read_full(buffer), 5U);
    EXPECT_EQ(net::resolve("tcp4", "localhost:http").port(), 80);
  });
}

TEST_P(listener, addresses_that_make_no_sense_are_errors) {
  run([] {
    std::error_code ec;
    for (const char* addr : {"", "127.0.0.1", "127.0.0.1:99999", "::1:80", "[::1:80"}) {
      net::dial("tcp", addr, ec);
      EXPECT_EQ(ec, net::net_errc::bad_address) << addr;
    }
    net::dial("tcpx", "127.0.0.1:1", ec);
    EXPECT_EQ(ec, net::net_errc::unknown_network);
    net::listen("udp", "127.0.0.1:0", ec);
    EXPECT_EQ(ec, net::net_errc::unknown_network);
    net::listen_packet("tcp", "127.0.0.1:0", ec);
    EXPECT_EQ(ec, net::net_errc::unknown_network);
    net::dial("unix", "", ec);
    EXPECT_EQ(ec, net::net_errc::bad_address);
    net::dial("unix", std::string(200, 'x'), ec);
    EXPECT_EQ(ec, net::net_errc::bad_address);
    net::dial("tcp", "no-such-host.invalid:80", ec);
    EXPECT_EQ(ec.category(), net::resolver_category());
    EXPECT_FALSE(ec.message().empty());
    EXPECT_THROW(net::dial("tcp", "127.0.0.1"), std::system_error);
    EXPECT_THROW(net::listen("tcp", "x"), std::system_error);
    EXPECT_THROW(net::listen_packet("udp", "x"), std::system_error);
    EXPECT_THROW(net::resolve("udp", "x"), std::system_error);
  });
}

TEST_P(listener, nobody_listens_is_connection_refused) {
  run([] {
    std::string at;
    {
      const net::listener l = net::listen("tcp", "127.0.0.1:0");
      at = l.addr().to_string();
    }
    std::error_code ec;
    net::dial("tcp", at, ec);
    EXPECT_EQ(ec, std::errc::connection_refused);
    net::dial("unix", "/nonexistent/socket", ec);
    EXPECT_EQ(ec, std::errc::no_such_file_or_directory);
  });
}

// A listener that accepts nobody has its queue full soon; a unix socket's connect() says so and tells no more.
TEST_P(listener, dialling_a_full_unix_socket_waits_for_room) {
  run([] {
    net::listen_options o;
    o.backlog = 1;
    const std::string at = "@pirn-full-" + std::to_string(getpid());
    net::listener l = net::listen("unix", at, o);
    constexpr int k_dials = 10;
    pirn::wait_group wg;
    for (int i = 0; i < k_dials; ++i) {
      wg.go([&] {
        char buffer[1];
        net::conn c = net::dial("unix", at);
        EXPECT_EQ(c.read(buffer), 1U);
      });
    }
    let_others_run();
    for (int i = 0; i < k_dials; ++i) l.accept().write("x");
    wg.wait();
  });
}

TEST_P(listener, datagrams_go_to_and_fro) {
  run([] {
    net::packet_conn a = net::listen_packet("udp", "127.0.0.1:0");
    net::packet_conn b = net::listen_packet("udp", "127.0.0.1:0");
    net::conn c = net::dial("udp", a.local_addr());
    char buffer[64];
    net::address from;
    auto reader = pirn::spawn([&] { return a.read_from(buffer, from); });
    let_others_run();
    EXPECT_EQ(b.write_to("datagram", a.local_addr()), 8U);
    EXPECT_EQ(reader.get(), 8U);
    EXPECT_EQ(from, b.local_addr());
    EXPECT_EQ(b.write_to("", a.local_addr()), 0U);
    EXPECT_EQ(a.read_from(buffer, from), 0U);
    c.write("to a peer");
    EXPECT_EQ(a.read_from(pirn::mutable_bytes(buffer, 2), from), 2U);
    a.write_to("back", from);
    EXPECT_EQ(c.read(buffer), 4U);
    c.write("");
    EXPECT_EQ(a.read_from(buffer, from), 0U);
    a.set_read_deadline(pirn::now() + 1ms);
    std::error_code ec;
    a.read_from(buffer, from, ec);
    EXPECT_EQ(ec, std::errc::timed_out);
    auto late = pirn::spawn([&] {
      std::error_code why;
      b.read_from(buffer, from, why);
      return why;
    });
    let_others_run();
    b.close();
    EXPECT_EQ(late.get(), net::net_errc::closed);
  });
}

TEST_P(listener, unix_datagrams_too) {
  run([] {
    const std::string name = "@pirn-gram-" + std::to_string(getpid());
    net::packet_conn a = net::listen_packet("unixgram", name);
    net::packet_conn nameless = net::listen_packet("unixgram", "");
    nameless.write_to("hi", a.local_addr());
    char buffer[8];
    net::address from;
    EXPECT_EQ(a.read_from(buffer, from), 2U);
    net::conn c = net::dial("unixgram", name);
    c.write("there");
    EXPECT_EQ(a.read_from(buffer, from), 5U);
  });
}

// All descriptors but a few are taken while connections come in: dialling fails and says why, accepting waits, and both
// go on once there are descriptors again.
PIRN_CHILD(out_of_descriptors) {
  int failures = 0;
  const auto expect = [&](bool ok, const char* what) {
    if (!ok) {
      std::printf("not so: %s\n", what);
      ++failures;
    }
  };
  pirn::run(with_procs(2), [&] {
    net::listener l = net::listen("tcp", "127.0.0.1:0");
    net::conn first = net::dial("tcp", l.addr());
    l.accept();
    const int raw = ::socket(AF_INET, SOCK_STREAM, 0);
    const rlimit few{static_cast<rlim_t>(raw) + 8, static_cast<rlim_t>(raw) + 8};
    setrlimit(RLIMIT_NOFILE, &few);
    std::vector<int> taken;
    for (int fd = 0; (fd = ::open("/dev/null", O_RDONLY)) >= 0;) taken.push_back(fd);
    // By a plain call: it is in the listener's queue, and accepting it finds no descriptor.
    const net::address at = l.addr();
    expect(::connect(raw, static_cast<const sockaddr*>(at.native()), static_cast<socklen_t>(at.native_size())) == 0,
           "connect");
    std::error_code ec;
    net::dial("tcp", at, ec);
    expect(ec == std::errc::too_many_files_open, "dial says why");
    auto acceptor = pirn::spawn([&] { return !l.accept().remote_addr().empty(); });
    const auto cpu = [] {
      timespec t{};
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
    };
    const double before = cpu();
    pirn::sleep_for(300ms);
    expect(cpu() - before < 0.15, "accept does not spin");
    expect(!acceptor.ready(), "accept waits");
    for (const int fd : taken) ::close(fd);
    expect(acceptor.get(), "accept recovers");
    net::conn again = net::dial("tcp", at);
    expect(!l.accept().remote_addr().empty(), "all is well again");
    ::close(raw);
  });
  return failures;
}

TEST(descriptors_run_out, dialling_fails_accepting_waits_and_both_recover) {
  const child_result r = run_child("out_of_descriptors");
  EXPECT_EQ(r.exit_code, 0) << r.describe();
}

PIRN_CHILD(accept_short_and_closed) {
  return pirn::run(with_procs(1), [] {
    net::listener l = net::listen("tcp", "127.0.0.1:0");
    {
      // Once before: UBSan's first look at an object needs descriptors of its own.
      auto client = pirn::spawn([&] { net::dial("tcp", l.addr()); });
      l.accept();
      client.get();
      EXPECT_TRUE(std::error_code(EMFILE, std::system_category()) == std::errc::too_many_files_open);
      EXPECT_TRUE(std::error_code(EMFILE, std::generic_category()) == std::errc::too_many_files_open);
      EXPECT_FALSE(make_error_code(net::net_errc::closed) == std::errc::too_many_files_open);
    }
    const int raw = ::socket(AF_INET, SOCK_STREAM, 0);
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const rlimit few{static_cast<rlim_t>(raw) + 1, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    const net::address at = l.addr();
    EXPECT_EQ(::connect(raw, static_cast<const sockaddr*>(at.native()), static_cast<socklen_t>(at.native_size())), 0);
    auto acceptor = pirn::spawn([&] {
      std::error_code ec;
      l.accept(ec);
      return ec;
    });
    let_others_run();
    l.close();
    const std::error_code ended = acceptor.get();
    setrlimit(RLIMIT_NOFILE, &before);  // UBSan again, for the comparison
    return ended == net::net_errc::closed ? 0 : 1;
  });
}

TEST(descriptors_run_out, close_ends_who_waits_for_some) {
  const child_result r = run_child("accept_short_and_closed");
  EXPECT_EQ(r.exit_code, 0) << r.describe();
}

}  // namespace
