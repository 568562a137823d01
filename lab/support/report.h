// How an entry's result is shown: a block on the terminal, an object in the JSON file.
// Layer: lab/support.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "support/registry.h"
#include "support/trial.h"

namespace lab {

struct finished_entry {
  entry what;
  outcome result;
};

void print_heading(const entry& e);
void print_outcome(const entry& e, const outcome& result, std::string_view go_version);

// The whole file: [{"id","title","seed","target","measured","go","verdict","why"}, ...]
std::string json_report(const std::vector<finished_entry>& entries, std::string_view go_version);

}  // namespace lab
