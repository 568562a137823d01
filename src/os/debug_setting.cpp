// Reading PIRN_DEBUG. Layer: os.
#include "os/debug_setting.h"

#include <cstdlib>
#include <cstring>

namespace pirn::rt {

namespace {

// The text after "name=", the last one in a list of settings; null where there is none.
const char* value_in(const char* settings, const char* name) noexcept {
  const std::size_t length = std::strlen(name);
  const char* value = nullptr;
  for (const char* at = settings; at != nullptr; at = std::strchr(at, ',')) {
    if (*at == ',') ++at;
    if (std::strncmp(at, name, length) == 0 && at[length] == '=') value = at + length + 1;
  }
  return value;
}

}  // namespace

long debug_setting(const char* name, long otherwise) noexcept {
  const char* value = value_in(std::getenv("PIRN_DEBUG"), name);
  if (value == nullptr) value = value_in(std::getenv("GODEBUG"), name);
  if (value == nullptr) return otherwise;
  char* end = nullptr;
  const long n = std::strtol(value, &end, 10);
  return end != value && (*end == '\0' || *end == ',') ? n : otherwise;
}

}  // namespace pirn::rt
