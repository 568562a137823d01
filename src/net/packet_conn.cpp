// Datagrams. Layer: net. Source: udp(7), unix(7).
#include <unistd.h>

#include "net/socket.h"

namespace pirn::net {

namespace {

PIRN_NOINLINE long try_recv_from(int fd, mutable_bytes b, sockaddr_storage& from, socklen_t& size) noexcept {
  size = sizeof from;
  const ssize_t n = recvfrom(fd, b.data(), b.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
  return n < 0 ? -errno : n;
}

PIRN_NOINLINE long try_send_to(int fd, const_bytes b, const address& to) noexcept {
  const ssize_t n = sendto(fd, b.data(), b.size(), MSG_NOSIGNAL, native(to), static_cast<socklen_t>(to.native_size()));
  return n < 0 ? -errno : n;
}

}  // namespace

std::size_t packet_conn::read_from(mutable_bytes buffer, address& from, std::error_code& ec) {
  const pollable::use u(get());
  sockaddr_storage at{};
  socklen_t size = 0;
  const long n = attempt(u, poll_side::read, ec, [&](int fd) { return try_recv_from(fd, buffer, at, size); });
  if (n < 0) return 0;
  from = address::from_native(&at, size);
  return static_cast<std::size_t>(n);
}

std::size_t packet_conn::read_from(mutable_bytes buffer, address& from) {
  return or_throw("read from", [&](std::error_code& ec) { return read_from(buffer, from, ec); });
}

std::size_t packet_conn::write_to(const_bytes data, const address& to, std::error_code& ec) {
  const pollable::use u(get());
  const long n = attempt(u, poll_side::write, ec, [&](int fd) { return try_send_to(fd, data, to); });
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

std::size_t packet_conn::write_to(const_bytes data, const address& to) {
  return or_throw("write to", [&](std::error_code& ec) { return write_to(data, to, ec); });
}

address packet_conn::local_addr() const noexcept { return name_of(get(), false); }

packet_conn listen_packet(std::string_view network_name, std::string_view addr, std::error_code& ec) {
  ec.clear();
  network n;
  if (!find_network(network_name, n, ec)) return {};
  if (n.type != SOCK_DGRAM) {
    ec = net_errc::unknown_network;
    return {};
  }
  std::vector<address> all;
  if (!n.is_unix() || !addr.empty()) {
    all = resolve_all(n, addr, true, ec);
    if (all.empty()) return {};
  }
  int fd = -1;
  for (std::size_t i = 0; i == 0 || i < all.size(); ++i) {
    ec.clear();
    fd = open_socket(all.empty() ? AF_UNIX : family_of(all[i]), n.type, ec);
    if (fd < 0) continue;
    if (all.empty() || bind(fd, native(all[i]), static_cast<socklen_t>(all[i].native_size())) == 0) break;
    ec = system_error_code(errno);
    ::close(fd);
    fd = -1;
  }
  if (fd < 0) return {};
  return access::make_packet_conn(adopt_socket(fd, false, ec));
}

packet_conn listen_packet(std::string_view network_name, std::string_view addr) {
  return or_throw("listen packet", [&](std::error_code& ec) { return listen_packet(network_name, addr, ec); });
}

}  // namespace pirn::net
