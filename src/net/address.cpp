// Addresses of sockets and their text. Layer: net. Source: ip(7), ipv6(7), unix(7).
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <string>

#include "net/socket.h"

namespace pirn::net {

namespace {

template <class T>
T as(const address& a) noexcept {
  T t{};
  std::memcpy(&t, a.native(), a.native_size() < sizeof t ? a.native_size() : sizeof t);
  return t;
}

std::string unix_name(const address& a) {
  constexpr std::size_t k_before = offsetof(sockaddr_un, sun_path);
  if (a.native_size() <= k_before) return {};
  const auto un = as<sockaddr_un>(a);
  const std::size_t size = a.native_size() - k_before;
  if (un.sun_path[0] == '\0') return "@" + std::string(un.sun_path + 1, size - 1);
  return {un.sun_path, strnlen(un.sun_path, size)};
}

std::string v6_host(const sockaddr_in6& in) {
  char text[INET6_ADDRSTRLEN] = "";
  if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
    return inet_ntop(AF_INET, &in.sin6_addr.s6_addr[12], text, sizeof text);
  }
  std::string host = inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
  if (in.sin6_scope_id != 0) {
    char name[IF_NAMESIZE];
    const bool named = if_indextoname(in.sin6_scope_id, name) != nullptr;
    host += "%" + (named ? std::string(name) : std::to_string(in.sin6_scope_id));
  }
  return host;
}

}  // namespace

address address::from_native(const void* sockaddr, std::size_t size) noexcept {
  address a;
  if (size > k_most) return a;
  std::memcpy(a.storage_, sockaddr, size);
  a.size_ = static_cast<std::uint32_t>(size);
  return a;
}

int family_of(const address& a) noexcept {
  sa_family_t family = AF_UNSPEC;
  if (a.native_size() >= sizeof family) std::memcpy(&family, a.native(), sizeof family);
  return family;
}

const sockaddr* native(const address& a) noexcept { return static_cast<const sockaddr*>(a.native()); }

std::string address::host() const {
  char text[INET_ADDRSTRLEN] = "";
  switch (family_of(*this)) {
    case AF_INET: {
      const auto in = as<sockaddr_in>(*this);
      return inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    }
    case AF_INET6:
      return v6_host(as<sockaddr_in6>(*this));
    default:
      return {};
  }
}

std::uint16_t address::port() const noexcept {
  switch (family_of(*this)) {
    case AF_INET:
      return ntohs(as<sockaddr_in>(*this).sin_port);
    case AF_INET6:
      return ntohs(as<sockaddr_in6>(*this).sin6_port);
    default:
      return 0;
  }
}

std::string address::to_string() const {
  switch (family_of(*this)) {
    case AF_INET:
    case AF_INET6: {
      const std::string h = host();
      const bool brackets = h.find(':') != std::string::npos;
      return (brackets ? "[" + h + "]" : h) + ":" + std::to_string(port());
    }
    case AF_UNIX:
      return unix_name(*this);
    default:
      return {};
  }
}

address unix_address(std::string_view path, std::error_code& ec) noexcept {
  ec.clear();
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof un.sun_path) {
    ec = net_errc::bad_address;
    return {};
  }
  std::memcpy(un.sun_path, path.data(), path.size());
  std::size_t size = offsetof(sockaddr_un, sun_path) + path.size();
  if (path[0] == '@') {
    un.sun_path[0] = '\0';
  } else {
    ++size;  // with its zero
  }
  return address::from_native(&un, size);
}

bool find_network(std::string_view name, network& out, std::error_code& ec) noexcept {
  static constexpr struct {
    std::string_view name;
    network net;
  } k_networks[] = {
      {"tcp", {AF_UNSPEC, SOCK_STREAM}}, {"tcp4", {AF_INET, SOCK_STREAM}},    {"tcp6", {AF_INET6, SOCK_STREAM}},
      {"udp", {AF_UNSPEC, SOCK_DGRAM}},  {"udp4", {AF_INET, SOCK_DGRAM}},     {"udp6", {AF_INET6, SOCK_DGRAM}},
      {"unix", {AF_UNIX, SOCK_STREAM}},  {"unixgram", {AF_UNIX, SOCK_DGRAM}},
  };
  for (const auto& k : k_networks) {
    if (k.name != name) continue;
    out = k.net;
    return true;
  }
  ec = net_errc::unknown_network;
  return false;
}

}  // namespace pirn::net
