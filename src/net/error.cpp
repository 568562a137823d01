// The errors that are not the kernel's. Layer: net.
#include <netdb.h>

#include <string>

#include "pirn/net.h"

namespace pirn::net {

namespace {

class net_errors final : public std::error_category {
 public:
  const char* name() const noexcept override { return "pirn.net"; }
  std::string message(int value) const override {
    switch (static_cast<net_errc>(value)) {
      case net_errc::closed:
        return "use of closed network connection";
      case net_errc::unknown_network:
        return "unknown network";
      case net_errc::bad_address:
        return "bad address";
      case net_errc::unexpected_end:
        return "unexpected end of stream";
    }
    return "unknown error";
  }
};

class resolver_errors final : public std::error_category {
 public:
  const char* name() const noexcept override { return "pirn.resolver"; }
  std::string message(int value) const override { return gai_strerror(value); }
};

}  // namespace

const std::error_category& net_category() noexcept {
  static const net_errors category;
  return category;
}

const std::error_category& resolver_category() noexcept {
  static const resolver_errors category;
  return category;
}

}  // namespace pirn::net
