// Reading PIRN_DEBUG. Layer: os.
#include "os/debug_setting.h"

#include <cstdlib>
#include <cstring>

namespace pirn::rt {

long debug_setting(const char* name, long otherwise) noexcept {
  const char* at = std::getenv("PIRN_DEBUG");
  if (at == nullptr) at = std::getenv("GODEBUG");
  const std::size_t length = std::strlen(name);
  while (at != nullptr && *at != '\0') {
    if (std::strncmp(at, name, length) == 0 && at[length] == '=') {
      const char* value = at + length + 1;
      char* end = nullptr;
      const long n = std::strtol(value, &end, 10);
      return end != value && (*end == '\0' || *end == ',') ? n : otherwise;
    }
    at = std::strchr(at, ',');
    if (at != nullptr) ++at;
  }
  return otherwise;
}

}  // namespace pirn::rt
