// Settings from the environment: PIRN_DEBUG, or GODEBUG for what that does not say, as `name=value,name=value`.
// Layer: os.
#pragma once

namespace pirn::rt {

// The number given for `name`; `otherwise` when there is none, or no number.
long debug_setting(const char* name, long otherwise) noexcept;

}  // namespace pirn::rt
