// Listening for connections and accepting them. Layer: net. Source: accept(2), socket(7).
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "net/socket.h"
#include "os/clock.h"

namespace pirn::net {

namespace {

PIRN_NOINLINE long try_accept(int fd) noexcept {
  const int n = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return n < 0 ? -errno : n;
}

// The connection is gone, the listener is not.
bool is_about_connection(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:  // a firewall's
      return true;
    default:
      return false;
  }
}

bool is_shortage(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

constexpr std::int64_t k_first_pause_ns = 5'000'000;
constexpr std::int64_t k_longest_pause_ns = 100'000'000;

// What is short may come back at any time, and nothing tells. A listening socket is never ready for writing: its
// deadline for writing is nobody's but ours, and waiting for it ends with close() as any waiting does.
bool pause(pollable& p, std::int64_t& length_ns, std::error_code& ec) {
  p.set_deadline(poll_side::write, rt::now_ns() + length_ns);
  length_ns = std::min(2 * length_ns, k_longest_pause_ns);
  return wait_for(p, poll_side::write, ec) || ec == std::errc::timed_out;
}

int bind_and_listen(const network& n, const address& at, const listen_options& o, std::error_code& ec) {
  ec.clear();
  const int fd = open_socket(family_of(at), n.type, ec);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  if (!n.is_unix()) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family_of(at) == AF_INET6) {
    const int only = n.family == AF_INET6 ? on : off;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  const bool ok = (!o.reuse_port || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
                  bind(fd, native(at), static_cast<socklen_t>(at.native_size())) == 0 &&
                  ::listen(fd, o.backlog > 0 ? o.backlog : INT32_MAX) == 0;
  if (ok) return fd;
  ec = system_error_code(errno);
  ::close(fd);
  return -1;
}

}  // namespace

listener::~listener() {
  std::error_code ignored;
  close(ignored);
}

listener& listener::operator=(listener&& o) noexcept {
  std::error_code ignored;
  close(ignored);
  unlink_path_ = std::move(o.unlink_path_);
  socket_base::operator=(std::move(o));
  return *this;
}

conn listener::accept(std::error_code& ec) {
  const pollable::use u(get());
  std::int64_t length_ns = k_first_pause_ns;
  for (;;) {
    const long fd = attempt(u, poll_side::read, ec, try_accept);
    if (fd >= 0) {
      pollable* p = adopt_socket(static_cast<int>(fd), true, ec);
      if (p != nullptr) {
        set_tcp_defaults(p->fd());  // means nothing to a unix socket
        return access::make_conn(p);
      }
    }
    if (ec.category() != std::system_category()) return {};
    if (is_about_connection(ec.value())) continue;
    if (!is_shortage(ec.value()) || !pause(*u.operator->(), length_ns, ec)) return {};
  }
}

conn listener::accept() {
  return or_throw("accept", [this](std::error_code& ec) { return accept(ec); });
}

address listener::addr() const noexcept { return name_of(get(), false); }

void listener::close(std::error_code& ec) noexcept {
  // Before the socket is closed: afterwards the path may be another one's already.
  if (!unlink_path_.empty() && pollable::use(get())) ::unlink(unlink_path_.c_str());
  socket_base::close(ec);
}

void listener::close() {
  or_throw("close", [this](std::error_code& ec) { close(ec); });
}

listener listen(std::string_view network_name, std::string_view addr, const listen_options& options,
                std::error_code& ec) {
  ec.clear();
  network n;
  if (!find_network(network_name, n, ec)) return {};
  if (n.type != SOCK_STREAM) {
    ec = net_errc::unknown_network;
    return {};
  }
  std::vector<address> all = resolve_all(n, addr, true, ec);
  if (all.empty()) return {};
  // Of a name with addresses of both families version 4 is meant, as in Go; but all of this machine's are of both.
  const bool any = all.size() > 1 && all.front().host() == "::";
  if (!any) std::stable_partition(all.begin(), all.end(), [](const address& a) { return family_of(a) == AF_INET; });
  int fd = bind_and_listen(n, all.front(), options, ec);
  const bool no_v6 = ec == std::errc::address_family_not_supported || ec == std::errc::address_not_available;
  if (fd < 0 && any && no_v6) fd = bind_and_listen(n, all.back(), options, ec);
  if (fd < 0) return {};
  pollable* p = adopt_socket(fd, false, ec);
  const bool has_path = n.is_unix() && addr.front() != '@';
  return access::make_listener(p, has_path && p != nullptr ? std::string(addr) : std::string());
}

listener listen(std::string_view network_name, std::string_view addr, std::error_code& ec) {
  return listen(network_name, addr, {}, ec);
}

listener listen(std::string_view network_name, std::string_view addr, const listen_options& options) {
  return or_throw("listen", [&](std::error_code& ec) { return listen(network_name, addr, options, ec); });
}

}  // namespace pirn::net
