// The list of entries. Each file under lab/ that holds one registers it with a namespace-scope `registration`.
// Layer: lab/support. An entry has two halves: `probe` is the program itself, run in a child process so that it starts
// from a fresh state, and prints what it measured; `judge` runs in the lab, starts probes and Go twins, and decides.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

class trial;
using arguments = std::span<const std::string>;

struct entry {
  std::string_view id;  // letter of the document and number of the exercise: "T02"
  std::string_view title;
  std::string_view seed;  // the exercise document
  std::string_view target;
  void (*judge)(trial&);
  int (*probe)(arguments);  // returns the child's exit status
};

class registration {
 public:
  explicit registration(const entry& e);
};

// In document order: T, O, R, S, E, each by number.
std::vector<entry> all_entries();

inline constexpr std::string_view k_tasks_document = "001_5ffaf974c16737f9";
inline constexpr std::string_view k_optimise_document = "000_c858c0016dec9a60";
inline constexpr std::string_view k_runtime_document = "002_53dd8de9f3e15822";
inline constexpr std::string_view k_source_document = "003_6c670af6701a59a9";
inline constexpr std::string_view k_essay_document = "004_086d9903690dd641";

}  // namespace lab
