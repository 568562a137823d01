// Taking a report of stacks apart: its first lines, then one block per goroutine. Layer: tests.
#pragma once

#include <regex>
#include <string>
#include <vector>

namespace pirn_test {

struct report_block {
  std::string header;  // "goroutine 7 [chan receive]:"
  std::vector<std::string> functions;
  std::vector<std::string> places;  // "/a/file.cpp:12 +0x34"
  std::string creator;              // "created by f() in goroutine 1", empty if there is none
  std::string elided;

  bool shows(const std::string& function) const {
    for (const std::string& f : functions) {
      if (f.find(function) != std::string::npos) return true;
    }
    return false;
  }
};

struct report_text {
  std::string message;               // all before the first block
  std::vector<report_block> blocks;  // "runtime stack:" may be the first
  bool well_formed = true;           // every frame is a function's line and a place's, as Go writes them
  std::string malformed;             // the first line that is not

  const report_block* of(const std::string& header_part) const {
    for (const report_block& b : blocks) {
      if (b.header.find(header_part) != std::string::npos) return &b;
    }
    return nullptr;
  }
};

inline report_text parse_report(const std::string& text) {
  static const std::regex header(R"(goroutine \d+( gp=0x[0-9a-f]+ m=(nil|\d+ mp=0x[0-9a-f]+))? \[[^\]]+\]( \{.*\})?:)");
  static const std::regex place(R"(\t\S.*:\d+( \+0x[0-9a-f]+)?( fp=0x[0-9a-f]+ sp=0x[0-9a-f]+ pc=0x[0-9a-f]+)?)");
  static const std::regex creator(R"(created by .+ in goroutine \d+)");
  static const std::regex elided(R"(\.\.\.\d+ frames elided\.\.\.)");
  report_text r;
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 1;
  }
  const auto wrong = [&r](const std::string& line) {
    if (r.well_formed) r.malformed = line;
    r.well_formed = false;
  };
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (std::regex_match(line, header) || line == "runtime stack:") {
      r.blocks.emplace_back();
      r.blocks.back().header = line;
    } else if (r.blocks.empty()) {
      r.message += line + "\n";
    } else if (line.empty() || line == "\tgoroutine running on other thread; stack unavailable") {
      continue;
    } else if (std::regex_match(line, elided)) {
      r.blocks.back().elided = line;
    } else {
      report_block& b = r.blocks.back();
      if (i + 1 == lines.size() || !std::regex_match(lines[i + 1], place)) {
        wrong(line);
        continue;
      }
      if (std::regex_match(line, creator)) {
        b.creator = line;
      } else {
        b.functions.push_back(line);
        b.places.push_back(lines[i + 1].substr(1));
      }
      ++i;
    }
  }
  return r;
}

}  // namespace pirn_test
