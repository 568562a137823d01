// Settings from the environment, as `name=value,name=value`: PIRN_DEBUG, and GODEBUG for what that does not name.
// Layer: os.
#pragma once

namespace pirn::rt {

// The number given for `name`; `otherwise` when there is none, or no number.
long debug_setting(const char* name, long otherwise) noexcept;

}  // namespace pirn::rt
