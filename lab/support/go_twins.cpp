// Finds the toolchain and builds twins into the build tree. Layer: lab/support. See go_twins.h.
#include "support/go_twins.h"

#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "support/process.h"

namespace lab {
namespace {

namespace fs = std::filesystem;

bool is_program(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

// Twins must not reach for another toolchain or a workspace of the user's.
launch go_environment() {
  launch how;
  how.environment = {{"GOTOOLCHAIN", "local"}, {"GOWORK", "off"}, {"GOFLAGS", std::nullopt}};
  how.directory = PIRN_LAB_GO_SOURCES;
  how.limit = std::chrono::seconds(300);
  return how;
}

bool newer(const fs::path& product, const std::vector<fs::path>& inputs) {
  std::error_code error;
  const auto made = fs::last_write_time(product, error);
  if (error) return false;
  for (const fs::path& input : inputs) {
    const auto changed = fs::last_write_time(input, error);
    if (error || changed > made) return false;
  }
  return true;
}

}  // namespace

std::optional<std::string> go_twins::find_toolchain(const std::string& directory) {
  std::vector<fs::path> candidates;
  if (!directory.empty()) {
    candidates = {fs::path(directory) / "bin" / "go", fs::path(directory) / "go"};
  } else {
    const char* path = std::getenv("PATH");
    std::istringstream folders(path != nullptr ? path : "");
    for (std::string folder; std::getline(folders, folder, ':');) {
      if (!folder.empty()) candidates.push_back(fs::path(folder) / "go");
    }
    candidates.insert(candidates.end(), {"/usr/local/go/bin/go", "/usr/lib/go/bin/go"});
  }
  for (const fs::path& candidate : candidates) {
    if (is_program(candidate)) return fs::absolute(candidate).string();
  }
  return std::nullopt;
}

go_twins::go_twins(std::string toolchain) : toolchain_(std::move(toolchain)) {
  std::error_code ignored;
  if (toolchain_.empty() || !fs::is_directory(PIRN_LAB_GO_SOURCES, ignored)) return;
  const process_result answer = run_process({toolchain_, "version"}, go_environment());
  std::istringstream words(answer.out);  // "go version go1.26.0 linux/amd64"
  std::string skipped;
  if (answer.ok()) words >> skipped >> skipped >> version_;
}

std::optional<std::string> go_twins::executable(std::string_view id) {
  if (version_.empty()) return std::nullopt;
  std::string name;
  for (const char c : id) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto known = built_.find(name);
  if (known != built_.end()) return known->second;
  return built_[name] = build(name);
}

std::optional<std::string> go_twins::build(const std::string& name) const {
  const fs::path source = fs::path(PIRN_LAB_GO_SOURCES) / name / "main.go";
  if (!fs::exists(source)) return std::nullopt;
  std::vector<fs::path> inputs = {source, toolchain_};
  for (const auto& shared : fs::directory_iterator(fs::path(PIRN_LAB_GO_SOURCES) / "measure")) {
    inputs.push_back(shared.path());
  }
  const fs::path program = fs::path(own_executable()).parent_path() / "go" / name;
  if (newer(program, inputs)) return program.string();

  std::printf("               (building the Go twin)\n");
  std::fflush(stdout);
  std::vector<std::string> command = {toolchain_, "build", "-o", program.string()};
  std::ifstream flags(source.parent_path() / "flags");
  for (std::string flag; flags >> flag;) command.push_back(flag);
  command.push_back("./" + name);
  const process_result result = run_process(command, go_environment());
  if (result.ok()) return program.string();
  std::printf("               (no Go beside it: the twin does not build: %s)\n", result.failure().c_str());
  return std::nullopt;
}

}  // namespace lab
