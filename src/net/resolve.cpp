// From "host:port" to addresses. Layer: net. Source: getaddrinfo(3).
//
// Numeric addresses and ports are read here. Names go to the system's resolver, which blocks: inside blocking(), so
// that it holds no P, and k_at_once at a time, so that a burst of names does not make a burst of threads.
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include "net/socket.h"
#include "pirn/runtime.h"
#include "pirn/sync/semaphore.h"

namespace pirn::net {

namespace {

constexpr std::ptrdiff_t k_at_once = 64;

semaphore& resolver_turns() {
  static semaphore turns(k_at_once);
  return turns;
}

struct parts {
  std::string host;
  std::string port;
};

// False: not "host:port".
bool split(std::string_view addr, parts& out) {
  const std::size_t colon = addr.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view host = addr.substr(0, colon);
  if (!host.empty() && host.front() == '[') {
    if (host.back() != ']') return false;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return false;  // a version 6 address without brackets: its last group would be taken for a port
  }
  out.host = host;
  out.port = addr.substr(colon + 1);
  return true;
}

// Negative: not a number. An empty one is 0, as in Go.
long numeric_port(const std::string& text) noexcept {
  if (text.size() > 5) return -1;
  long port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    port = 10 * port + (c - '0');
  }
  return port;
}

address v4(in_addr host, std::uint16_t port) noexcept {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr = host;
  return address::from_native(&in, sizeof in);
}

address v6(const in6_addr& host, std::uint32_t scope, std::uint16_t port) noexcept {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  in.sin6_addr = host;
  in.sin6_scope_id = scope;
  return address::from_native(&in, sizeof in);
}

// Empty: the host is a name, or a number of the other family.
address numeric(const network& n, const std::string& host, std::uint16_t port) {
  in_addr in4{};
  if (n.family != AF_INET6 && inet_pton(AF_INET, host.c_str(), &in4) == 1) return v4(in4, port);
  if (n.family == AF_INET) return {};
  const std::size_t percent = host.find('%');
  in6_addr in6{};
  if (inet_pton(AF_INET6, host.substr(0, percent).c_str(), &in6) != 1) return {};
  std::uint32_t scope = 0;
  if (percent != std::string::npos) {
    const std::string zone = host.substr(percent + 1);
    scope = if_nametoindex(zone.c_str());
    if (scope == 0) scope = static_cast<std::uint32_t>(std::strtoul(zone.c_str(), nullptr, 10));
  }
  return v6(in6, scope, port);
}

// Without a host.
std::vector<address> of_this_machine(const network& n, bool passive, std::uint16_t port) {
  std::vector<address> all;
  const in_addr here4{htonl(passive ? INADDR_ANY : INADDR_LOOPBACK)};
  const in6_addr& here6 = passive ? in6addr_any : in6addr_loopback;
  // One socket listens on both families; one that connects tries the more common one first.
  if (passive && n.family != AF_INET) all.push_back(v6(here6, 0, port));
  if (n.family != AF_INET6) all.push_back(v4(here4, port));
  if (!passive && n.family != AF_INET) all.push_back(v6(here6, 0, port));
  return all;
}

std::vector<address> ask_resolver(const network& n, const parts& p, std::error_code& ec) {
  struct turn {
    turn() { resolver_turns().acquire(1); }
    ~turn() { resolver_turns().release(1); }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
  };
  addrinfo hints{};
  hints.ai_family = n.family;
  hints.ai_socktype = n.type;
  addrinfo* found = nullptr;
  int error = 0;
  int system = 0;
  {
    const turn mine;
    runtime::blocking([&] {
      error = getaddrinfo(p.host.empty() ? nullptr : p.host.c_str(), p.port.c_str(), &hints, &found);
      system = errno;
    });
  }
  std::vector<address> all;
  if (error != 0) {
    ec = error == EAI_SYSTEM ? system_error_code(system) : std::error_code(error, resolver_category());
    return all;
  }
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    if (a->ai_family == AF_INET || a->ai_family == AF_INET6) {
      all.push_back(address::from_native(a->ai_addr, a->ai_addrlen));
    }
  }
  freeaddrinfo(found);
  if (all.empty()) ec = std::error_code(EAI_NONAME, resolver_category());
  return all;
}

}  // namespace

std::vector<address> resolve_all(const network& n, std::string_view addr, bool passive, std::error_code& ec) {
  ec.clear();
  if (n.is_unix()) {
    address a = unix_address(addr, ec);
    if (ec) return {};
    return {a};
  }
  parts p;
  const long port = split(addr, p) ? numeric_port(p.port) : 0;
  if (addr.find(':') == std::string_view::npos || port > 65535 || (p.host.empty() && p.port.empty() && addr != ":")) {
    ec = net_errc::bad_address;
    return {};
  }
  if (port >= 0) {
    if (p.host.empty()) return of_this_machine(n, passive, static_cast<std::uint16_t>(port));
    const address a = numeric(n, p.host, static_cast<std::uint16_t>(port));
    if (!a.empty()) return {a};
  }
  return ask_resolver(n, p, ec);
}

address resolve(std::string_view network_name, std::string_view addr, std::error_code& ec) {
  network n;
  if (!find_network(network_name, n, ec)) return {};
  const std::vector<address> all = resolve_all(n, addr, false, ec);
  return all.empty() ? address() : all.front();
}

address resolve(std::string_view network_name, std::string_view addr) {
  return or_throw("resolve", [&](std::error_code& ec) { return resolve(network_name, addr, ec); });
}

}  // namespace pirn::net
