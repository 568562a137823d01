// What the files of this layer share: trying system calls until they do not block any more, names of networks, native
// addresses. Layer: net.
//
// A call that may park never looks at errno itself: the compiler may keep errno's address, which is that of the thread
// before the park. System calls are wrapped in functions that are not inlined and return the negative error.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <vector>

#include "os/base.h"
#include "pirn/net.h"
#include "sync/pollable.h"

namespace pirn::net {

using rt::poll_side;
using rt::pollable;

// Makes the public objects.
struct access {
  static conn make_conn(pollable* p) noexcept { return conn(p); }
  static packet_conn make_packet_conn(pollable* p) noexcept { return packet_conn(p); }
  static listener make_listener(pollable* p, std::string path) noexcept {
    listener l(p);
    l.unlink_path_ = std::move(path);
    return l;
  }
};

inline std::error_code system_error_code(int error) noexcept { return {error, std::system_category()}; }

// The error form of each call is the real one.
template <class F>
auto or_throw(const char* what, F&& f) {
  std::error_code ec;
  if constexpr (std::is_void_v<decltype(f(ec))>) {
    f(ec);
    if (ec) throw std::system_error(ec, what);
  } else {
    auto result = f(ec);
    if (ec) throw std::system_error(ec, what);
    return result;
  }
}

// Waits until another try may succeed. False: `ec` says why there is to be none.
bool wait_for(pollable& p, poll_side side, std::error_code& ec);

// Calls `once(fd)`, which returns the negative error of a system call, until it does not block. Negative: `ec` is set.
// `would_block`: the first call is spared.
template <class Once>
long attempt(const pollable::use& u, poll_side side, std::error_code& ec, Once once, bool would_block = false) {
  ec.clear();
  if (!u) {
    ec = net_errc::closed;
    return -1;
  }
  if (u->expired(side)) {
    ec = std::make_error_code(std::errc::timed_out);
    return -1;
  }
  for (bool first = true;; first = false) {
    if (first && !would_block) u->begin_try(side);
    const long n = first && would_block ? -EAGAIN : once(u->fd());
    if (n > 0) return n;
    if (u->closing()) {  // a connection that was shut down has ended, too, or cannot be written to
      ec = net_errc::closed;
      return -1;
    }
    if (n == 0) return 0;
    if (n == -EINTR) continue;
    if (n != -EAGAIN) {
      ec = system_error_code(static_cast<int>(-n));
      return -1;
    }
    if (!wait_for(*u.operator->(), side, ec)) return -1;
  }
}

struct network {
  int family = AF_UNSPEC;
  int type = SOCK_STREAM;  // SOCK_*
  bool is_unix() const noexcept { return family == AF_UNIX; }
};
// False, with net_errc::unknown_network, for a name that there is not.
bool find_network(std::string_view name, network& out, std::error_code& ec) noexcept;

// Of a path or "@name".
address unix_address(std::string_view path, std::error_code& ec) noexcept;

// What "host:port" stands for, in the order in which they are to be tried; `passive` for listening: then no host means
// all addresses, else this machine. Empty: ec is set.
std::vector<address> resolve_all(const network& n, std::string_view addr, bool passive, std::error_code& ec);

int family_of(const address& a) noexcept;
const sockaddr* native(const address& a) noexcept;

// A new non-blocking socket; negative: ec is set.
int open_socket(int family, int type, std::error_code& ec) noexcept;
// An object for it; closes it on failure.
pollable* adopt_socket(int fd, bool stream, std::error_code& ec) noexcept;
void set_tcp_defaults(int fd) noexcept;
address name_of(const pollable* p, bool of_peer) noexcept;

}  // namespace pirn::net
