// Reading and writing connections. Layer: net.
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <climits>
#include <cstring>

#include "net/socket.h"

namespace pirn::net {

namespace {

PIRN_NOINLINE long try_recv(int fd, mutable_bytes b) noexcept {
  const ssize_t n = recv(fd, b.data(), b.size(), 0);
  return n < 0 ? -errno : n;
}

PIRN_NOINLINE long try_send(int fd, const_bytes b) noexcept {
  const ssize_t n = send(fd, b.data(), b.size(), MSG_NOSIGNAL);
  return n < 0 ? -errno : n;
}

PIRN_NOINLINE long try_sendmsg(int fd, const msghdr& m) noexcept {
  const ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);
  return n < 0 ? -errno : n;
}

PIRN_NOINLINE long try_recvmsg(int fd, msghdr& m) noexcept {
  const ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
  return n < 0 ? -errno : n;
}

constexpr std::size_t k_most_descriptors = 253;  // SCM_MAX_FD of the kernel
constexpr std::size_t k_control_bytes = CMSG_SPACE(k_most_descriptors * sizeof(int));

// Moves the descriptors that came with a message to where they are wanted. False when some were cut off or had no
// place.
bool take_descriptors(msghdr& m, std::span<int> out, std::size_t& count) noexcept {
  bool all = (m.msg_flags & MSG_CTRUNC) == 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < n; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (count < out.size()) {
        out[count++] = fd;
      } else {
        ::close(fd);
        all = false;
      }
    }
  }
  return all;
}

// From one piece and an offset into it on.
std::size_t fill(std::span<const const_bytes> pieces, std::size_t at, std::size_t offset,
                 std::span<iovec> out) noexcept {
  std::size_t n = 0;
  for (; at < pieces.size() && n < out.size(); ++at, offset = 0) {
    const const_bytes rest = pieces[at].after(offset);
    if (!rest.empty()) out[n++] = {const_cast<std::byte*>(rest.data()), rest.size()};
  }
  return n;
}

}  // namespace

std::size_t conn::read(mutable_bytes buffer, std::error_code& ec) {
  const pollable::use u(get());
  if (u && buffer.empty()) {
    ec.clear();
    return 0;
  }
  const bool would_block = u && u->read_would_block();
  const long n = attempt(
      u, poll_side::read, ec, [&](int fd) { return try_recv(fd, buffer); }, would_block);
  if (n <= 0) return 0;
  const auto size = static_cast<std::size_t>(n);
  if (size < buffer.size() && u->is_stream()) u->read_was_short();
  return size;
}

std::size_t conn::read(mutable_bytes buffer) {
  return or_throw("read", [&](std::error_code& ec) { return read(buffer, ec); });
}

std::size_t conn::read_full(mutable_bytes buffer, std::error_code& ec) {
  std::size_t done = 0;
  do {
    const std::size_t n = read(buffer.after(done), ec);
    if (ec) return done;
    if (n == 0) break;
    done += n;
  } while (done < buffer.size());
  if (done != 0 && done < buffer.size()) ec = net_errc::unexpected_end;
  return done;
}

std::size_t conn::read_full(mutable_bytes buffer) {
  return or_throw("read", [&](std::error_code& ec) { return read_full(buffer, ec); });
}

std::size_t conn::write(const_bytes data, std::error_code& ec) {
  const pollable::use u(get());
  // An empty write to a stream sends nothing; an empty datagram is one.
  if (u && data.empty() && u->is_stream()) {
    ec.clear();
    return 0;
  }
  std::size_t done = 0;
  do {
    const long n = attempt(u, poll_side::write, ec, [&](int fd) { return try_send(fd, data.after(done)); });
    if (n < 0) return done;
    done += static_cast<std::size_t>(n);
  } while (done < data.size());
  return done;
}

std::size_t conn::write(const_bytes data) {
  return or_throw("write", [&](std::error_code& ec) { return write(data, ec); });
}

std::size_t conn::writev(std::span<const const_bytes> pieces, std::error_code& ec) {
  ec.clear();
  const pollable::use u(get());
  std::size_t done = 0;
  std::size_t at = 0;
  std::size_t offset = 0;
  iovec parts[64];
  for (;;) {
    while (at < pieces.size() && offset == pieces[at].size()) {
      ++at;
      offset = 0;
    }
    msghdr m{};
    m.msg_iov = parts;
    m.msg_iovlen = fill(pieces, at, offset, parts);
    if (m.msg_iovlen == 0 && u) return done;
    const long n = attempt(u, poll_side::write, ec, [&](int fd) { return try_sendmsg(fd, m); });
    if (n < 0) return done;
    done += static_cast<std::size_t>(n);
    for (auto left = static_cast<std::size_t>(n); left != 0;) {
      const std::size_t rest = pieces[at].size() - offset;
      const std::size_t step = left < rest ? left : rest;
      offset += step;
      left -= step;
      if (offset == pieces[at].size()) {
        ++at;
        offset = 0;
      }
    }
  }
}

std::size_t conn::writev(std::span<const const_bytes> pieces) {
  return or_throw("write", [&](std::error_code& ec) { return writev(pieces, ec); });
}

void conn::close_write(std::error_code& ec) noexcept {
  ec.clear();
  const pollable::use u(get());
  if (!u) {
    ec = net_errc::closed;
  } else if (shutdown(u->fd(), SHUT_WR) != 0) {
    ec = system_error_code(errno);
  }
}

void conn::close_write() {
  or_throw("close write", [this](std::error_code& ec) { close_write(ec); });
}

void conn::write_descriptors(std::span<const int> descriptors, const_bytes data, std::error_code& ec) {
  if (data.empty() || descriptors.size() > k_most_descriptors) {
    ec = std::make_error_code(std::errc::invalid_argument);
    return;
  }
  const pollable::use u(get());
  alignas(cmsghdr) char control[k_control_bytes] = {};
  iovec part{const_cast<std::byte*>(data.data()), data.size()};
  msghdr m{};
  m.msg_iov = &part;
  m.msg_iovlen = 1;
  if (!descriptors.empty()) {
    m.msg_control = control;
    m.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(c), descriptors.data(), descriptors.size_bytes());
  }
  const long n = attempt(u, poll_side::write, ec, [&](int fd) { return try_sendmsg(fd, m); });
  if (n >= 0 && static_cast<std::size_t>(n) < data.size()) write(data.after(static_cast<std::size_t>(n)), ec);
}

void conn::write_descriptors(std::span<const int> descriptors, const_bytes data) {
  or_throw("write descriptors", [&](std::error_code& ec) { write_descriptors(descriptors, data, ec); });
}

std::size_t conn::read_descriptors(mutable_bytes buffer, std::span<int> descriptors, std::size_t& count,
                                   std::error_code& ec) {
  count = 0;
  const pollable::use u(get());
  alignas(cmsghdr) char control[k_control_bytes];
  iovec part{buffer.data(), buffer.size()};
  msghdr m{};
  const long n = attempt(u, poll_side::read, ec, [&](int fd) {
    m = {};
    m.msg_iov = &part;
    m.msg_iovlen = 1;
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    return try_recvmsg(fd, m);
  });
  if (n < 0) return 0;
  if (!take_descriptors(m, descriptors, count)) ec = std::make_error_code(std::errc::message_size);
  return static_cast<std::size_t>(n);
}

std::size_t conn::read_descriptors(mutable_bytes buffer, std::span<int> descriptors, std::size_t& count) {
  return or_throw("read descriptors",
                  [&](std::error_code& ec) { return read_descriptors(buffer, descriptors, count, ec); });
}

address conn::local_addr() const noexcept { return name_of(get(), false); }
address conn::remote_addr() const noexcept { return name_of(get(), true); }

conn conn::from_native(int fd, std::error_code& ec) noexcept {
  ec.clear();
  int type = 0;
  socklen_t size = sizeof type;
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
      fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    ec = system_error_code(errno);
    return {};
  }
  pollable* p = pollable::make(fd, type == SOCK_STREAM);
  if (p == nullptr) ec = system_error_code(errno);
  return conn(p);
}

conn conn::from_native(int fd) {
  return or_throw("from_native", [&](std::error_code& ec) { return from_native(fd, ec); });
}

}  // namespace pirn::net
