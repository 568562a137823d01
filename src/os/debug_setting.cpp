// Reading PIRN_DEBUG. Layer: os.
#include "os/debug_setting.h"

#include <cstdlib>
#include <cstring>

namespace pirn::rt {

namespace {
// What follows `name=` in the list; null without.
const char* value_in(const char* list, const char* name) noexcept {
  const std::size_t length = std::strlen(name);
  for (const char* at = list; at != nullptr;) {
    if (std::strncmp(at, name, length) == 0 && at[length] == '=') return at + length + 1;
    at = std::strchr(at, ',');
    if (at != nullptr) ++at;
  }
  return nullptr;
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
