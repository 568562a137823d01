// A setting of PIRN_DEBUG for the runs of one test, beside those that are there: chaos=SEED, for one. Layer: tests.
#pragma once

#include <cstdlib>
#include <string>

namespace pirn_test {

// Holds while it lives.
class debug_setting {
 public:
  explicit debug_setting(const std::string& setting) {
    if (const char* now = std::getenv("PIRN_DEBUG")) {
      was_set_ = true;
      before_ = now;
    }
    setenv("PIRN_DEBUG", (was_set_ ? setting + "," + before_ : setting).c_str(), 1);
  }
  ~debug_setting() {
    if (was_set_) {
      setenv("PIRN_DEBUG", before_.c_str(), 1);
    } else {
      unsetenv("PIRN_DEBUG");
    }
  }
  debug_setting(const debug_setting&) = delete;
  debug_setting& operator=(const debug_setting&) = delete;

 private:
  std::string before_;
  bool was_set_ = false;
};

}  // namespace pirn_test
