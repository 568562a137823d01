// pirn-lab: runs the exercises of the five documents, checks their targets, and reports.
// Layer: lab. Every entry's programs run in child processes of this same executable (`--child ID ARGS`, not for users),
// so this process never starts the runtime, and an entry that crashes or hangs is a MISS and not the end of the lab.
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "support/go_twins.h"
#include "support/registry.h"
#include "support/report.h"
#include "support/trial.h"

namespace lab {
namespace {

constexpr int k_exit_ok = 0;
constexpr int k_exit_miss = 1;
constexpr int k_exit_usage = 2;

constexpr const char* k_usage =
    "usage: pirn-lab [--list] [--only ID[,ID]] [--json FILE] [--quick]\n"
    "                [--with-go | --without-go] [--go-dir DIR]\n"
    "  --list         name the entries and stop\n"
    "  --only ID,ID   run these entries\n"
    "  --json FILE    write the results to FILE as well\n"
    "  --quick        shorter sleeps and fewer repetitions\n"
    "  --with-go      insist on a Go toolchain (default: used when there is one)\n"
    "  --without-go   run no Go programs\n"
    "  --go-dir DIR   the Go toolchain to use\n"
    "exit status: 0 all targets met or skipped, 1 a miss, 2 bad arguments\n";

class usage_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class go_wish { automatic, required, none };

struct options {
  bool help = false;
  bool list = false;
  bool quick = false;
  go_wish go = go_wish::automatic;
  std::string go_directory;
  std::string json_file;
  std::vector<entry> chosen;
};

const entry* find(const std::vector<entry>& entries, std::string_view id) {
  const auto same = [id](const entry& e) {
    return std::equal(e.id.begin(), e.id.end(), id.begin(), id.end(),
                      [](unsigned char a, unsigned char b) { return std::toupper(a) == std::toupper(b); });
  };
  const auto found = std::find_if(entries.begin(), entries.end(), same);
  return found == entries.end() ? nullptr : &*found;
}

// The entries that `ids` names, in document order and each once.
std::vector<entry> select_entries(const std::vector<entry>& entries, std::string_view ids) {
  std::vector<std::string_view> wanted;
  for (;;) {
    const std::size_t comma = ids.find(',');
    const std::string_view id = ids.substr(0, comma);
    const entry* known = find(entries, id);
    if (known == nullptr) throw usage_error("unknown entry '" + std::string(id) + "' (--list names them)");
    wanted.push_back(known->id);
    if (comma == std::string_view::npos) break;
    ids.remove_prefix(comma + 1);
  }
  std::vector<entry> result;
  for (const entry& e : entries) {
    if (std::find(wanted.begin(), wanted.end(), e.id) != wanted.end()) result.push_back(e);
  }
  return result;
}

options parse(const std::vector<std::string>& words, const std::vector<entry>& entries) {
  options result;
  result.chosen = entries;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const std::string name = word.substr(0, equals);
    const auto value = [&]() -> std::string {
      std::string given;
      if (equals != std::string::npos) {
        given = word.substr(equals + 1);
      } else if (i + 1 < words.size()) {
        given = words[++i];
      }
      if (given.empty()) throw usage_error(name + " needs a value");
      return given;
    };
    if (name == "--only") {
      result.chosen = select_entries(entries, value());
    } else if (name == "--json") {
      result.json_file = value();
    } else if (name == "--go-dir") {
      result.go_directory = value();
    } else if (equals != std::string::npos) {
      throw usage_error("unknown option '" + word + "' (--help names them)");
    } else if (name == "--list") {
      result.list = true;
    } else if (name == "--quick") {
      result.quick = true;
    } else if (name == "--with-go") {
      result.go = go_wish::required;
    } else if (name == "--without-go") {
      result.go = go_wish::none;
    } else if (name == "--help" || name == "-h") {
      result.help = true;
    } else {
      throw usage_error("unknown " + std::string(name.starts_with('-') ? "option" : "argument") + " '" + word +
                        "' (--help names them)");
    }
  }
  return result;
}

std::string choose_toolchain(const options& chosen) {
  if (chosen.go == go_wish::none) return {};
  std::optional<std::string> found = go_twins::find_toolchain(chosen.go_directory);
  if (found) return *found;
  if (!chosen.go_directory.empty()) throw usage_error("no Go toolchain under '" + chosen.go_directory + "'");
  if (chosen.go == go_wish::required) throw usage_error("--with-go: this machine has no Go toolchain");
  return {};
}

outcome run_entry(const entry& e, go_twins& twins, bool quick) {
  trial t(e, twins, quick);
  try {
    e.judge(t);
  } catch (const std::exception& error) {
    t.check(false, error.what());
  }
  return t.finish();
}

int run(const options& chosen) {
  std::ofstream json;
  if (!chosen.json_file.empty()) {
    json.open(chosen.json_file);
    if (!json) throw usage_error("cannot write '" + chosen.json_file + "': " + std::strerror(errno));
  }
  go_twins twins(choose_toolchain(chosen));
  if (chosen.go == go_wish::required && twins.version().empty()) {
    throw usage_error("--with-go: the Go toolchain does not run");
  }

  std::vector<finished_entry> finished;
  std::string missed;
  std::string skipped;
  for (const entry& e : chosen.chosen) {
    print_heading(e);
    finished.push_back({e, run_entry(e, twins, chosen.quick)});
    print_outcome(e, finished.back().result, twins.version());
    const verdict v = finished.back().result.verdict;
    if (v == verdict::miss) missed.append(" ").append(e.id);
    if (v == verdict::skipped) skipped.append(" ").append(e.id);
  }
  if (json.is_open()) {
    json << json_report(finished, twins.version()) << std::flush;
    if (!json) throw std::runtime_error("cannot write '" + chosen.json_file + "'");
  }
  std::printf("%zu %s, %s%s%s%s\n", finished.size(), finished.size() == 1 ? "entry" : "entries",
              missed.empty() ? "all targets met" : "MISS:", missed.c_str(),
              skipped.empty() ? "" : "; skipped:", skipped.c_str());
  return missed.empty() ? k_exit_ok : k_exit_miss;
}

int run_child(const std::vector<entry>& entries, const std::vector<std::string>& words) {
  const entry* e = words.size() > 1 ? find(entries, words[1]) : nullptr;
  if (e == nullptr) throw usage_error("--child needs an entry");
  return e->probe(arguments(words).subspan(2));
}

int lab_main(const std::vector<std::string>& words) {
  const std::vector<entry> entries = all_entries();
  if (!words.empty() && words[0] == "--child") return run_child(entries, words);
  const options chosen = parse(words, entries);
  if (chosen.help) {
    std::fputs(k_usage, stdout);
    return k_exit_ok;
  }
  if (!chosen.list) return run(chosen);
  for (const entry& e : entries) {
    std::printf("%.*s  %.*s\n", static_cast<int>(e.id.size()), e.id.data(), static_cast<int>(e.title.size()),
                e.title.data());
  }
  return k_exit_ok;
}

}  // namespace
}  // namespace lab

int main(int argc, char** argv) {
  try {
    return lab::lab_main(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const lab::usage_error& error) {
    std::fprintf(stderr, "pirn-lab: %s\n", error.what());
    return lab::k_exit_usage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pirn-lab: %s\n", error.what());
    return lab::k_exit_miss;
  }
}
