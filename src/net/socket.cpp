// Sockets of every kind: making, closing, deadlines, names. Layer: net.
#include "net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

namespace pirn::net {

namespace {

template <class T>
void set_option(int fd, int level, int name, T value) noexcept {
  setsockopt(fd, level, name, &value, sizeof value);
}

}  // namespace

bool wait_for(pollable& p, poll_side side, std::error_code& ec) {
  int error = 0;
  switch (p.wait(side, error)) {
    case rt::poll_result::try_again:
      return true;
    case rt::poll_result::expired:
      ec = std::make_error_code(std::errc::timed_out);
      return false;
    case rt::poll_result::closed:
      ec = net_errc::closed;
      return false;
    case rt::poll_result::failed:
      ec = system_error_code(error);
      return false;
  }
  return false;
}

int open_socket(int family, int type, std::error_code& ec) noexcept {
  const int fd = ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) ec = system_error_code(errno);
  return fd;
}

pollable* adopt_socket(int fd, bool stream, std::error_code& ec) noexcept {
  pollable* p = pollable::make(fd, stream);
  if (p == nullptr) {
    ec = system_error_code(errno);
    ::close(fd);
  }
  return p;
}

void set_tcp_defaults(int fd) noexcept {
  constexpr int k_keep_alive_s = 15;
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, k_keep_alive_s);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, k_keep_alive_s);
}

address name_of(const pollable* p, bool of_peer) noexcept {
  const pollable::use u(const_cast<pollable*>(p));
  if (!u) return {};
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  auto* native = reinterpret_cast<sockaddr*>(&at);
  const int failed = of_peer ? getpeername(u->fd(), native, &size) : getsockname(u->fd(), native, &size);
  return failed != 0 ? address() : address::from_native(&at, size);
}

namespace detail {

void socket_handle::release(pollable* p) noexcept { p->release(); }

void socket_base::close(std::error_code& ec) noexcept {
  ec.clear();
  if (get() == nullptr || !get()->close(true)) ec = net_errc::closed;
}

void socket_base::close() {
  or_throw("close", [this](std::error_code& ec) { close(ec); });
}

void socket_base::set(unsigned sides, time_point tp, std::error_code& ec) {
  ec.clear();
  const pollable::use u(get());
  if (!u) {
    ec = net_errc::closed;
    return;
  }
  const std::int64_t when = tp.time_since_epoch().count();
  if ((sides & k_read) != 0) u->set_deadline(poll_side::read, when);
  if ((sides & k_write) != 0) u->set_deadline(poll_side::write, when);
}

void socket_base::set(unsigned sides, time_point tp) {
  or_throw("set deadline", [&](std::error_code& ec) { set(sides, tp, ec); });
}

int socket_base::native_handle() const noexcept {
  const pollable::use u(get());
  return u ? u->fd() : -1;
}

}  // namespace detail
}  // namespace pirn::net
