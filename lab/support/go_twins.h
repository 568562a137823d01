// The Go programs that run beside our own, where the machine has a Go toolchain.
// Layer: lab/support. A twin's source is lab/go/<id>/main.go; what stands in a file `flags` beside it is given to `go
// build`. Its executable lies beside the lab's, built when it is missing or older than its source, lab/go/measure or
// the toolchain. No toolchain, or a twin that does not build, is never an error.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lab {

class go_twins {
 public:
  // Looks for `go` in `directory` (or its bin/), or when that is empty on PATH and in the customary places.
  static std::optional<std::string> find_toolchain(const std::string& directory);

  // With an empty toolchain there are no twins.
  explicit go_twins(std::string toolchain);

  // As `go version` names it ("go1.26.0"); empty without a toolchain.
  const std::string& version() const { return version_; }

  // The twin of the entry `id`, built first if need be; nullopt when there is none.
  std::optional<std::string> executable(std::string_view id);

 private:
  std::optional<std::string> build(const std::string& name) const;

  const std::string toolchain_;
  std::string version_;
  std::map<std::string, std::optional<std::string>> built_;
};

}  // namespace lab
