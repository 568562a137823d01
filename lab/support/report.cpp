// The terminal block and the JSON of a finished entry. Layer: lab/support. See report.h.
#include "support/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace lab {
namespace {

// Our own strings are ASCII; what a dying child wrote may be any bytes, and the file must stay valid.
std::string quoted(std::string_view s) {
  std::string result = "\"";
  for (const char c : s) {
    const unsigned code = static_cast<unsigned char>(c);
    if (code >= 0x7f) {
      result += '?';
    } else if (code < 0x20) {
      result += text("\\u%04x", code);
    } else {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
  }
  return result + '"';
}

struct verdict_words {
  const char* shown;
  const char* in_json;
};

verdict_words words_for(verdict v) {
  switch (v) {
    case verdict::ok:
      return {"ok", "ok"};
    case verdict::skipped:
      return {"skipped", "skipped"};
    case verdict::miss:
      break;
  }
  return {"MISS", "miss"};
}

std::string json_value(const readings::value& value) {
  if (const std::string* s = std::get_if<std::string>(&value)) return quoted(*s);
  const double number = std::get<double>(value);
  return std::isfinite(number) ? text("%.6g", number) : "null";
}

std::string json_object(const readings& values) {
  std::string result;
  for (const auto& [name, value] : values.items()) {
    result += (result.empty() ? "" : ", ") + quoted(name) + ": " + json_value(value);
  }
  return "{" + result + "}";
}

std::string shown(const readings::value& value) {
  if (const std::string* s = std::get_if<std::string>(&value)) return *s;
  const double number = std::get<double>(value);
  const bool whole = std::abs(number) >= 1000 || number == std::floor(number);
  return whole ? text("%.0f", number) : text("%.3g", number);
}

std::string shown(const readings& values, const std::string& name) {
  for (const auto& one : values.items()) {
    if (one.first == name) return shown(one.second);
  }
  return "-";
}

// Every name of either side, ours first.
std::vector<std::string> row_names(const outcome& result) {
  std::vector<std::string> names;
  for (const auto& one : result.measured.items()) names.push_back(one.first);
  if (!result.go) return names;
  for (const auto& one : result.go->items()) {
    if (std::find(names.begin(), names.end(), one.first) == names.end()) names.push_back(one.first);
  }
  return names;
}

}  // namespace

void print_heading(const entry& e) {
  std::printf("%.*s  %.*s\n", static_cast<int>(e.id.size()), e.id.data(), static_cast<int>(e.title.size()),
              e.title.data());
  std::printf("     target    %.*s\n", static_cast<int>(e.target.size()), e.target.data());
  std::fflush(stdout);
}

void print_outcome(const entry& e, const outcome& result, std::string_view go_version) {
  const std::vector<std::string> names = row_names(result);
  std::size_t width = 0;
  for (const std::string& name : names) width = std::max(width, name.size());
  const auto row = [&](const char* label, const std::string& name, const std::string& pirn, const std::string& go) {
    std::printf("     %-9s %-*s %14s", label, static_cast<int>(width), name.c_str(), pirn.c_str());
    if (result.go) std::printf(" %14s", go.c_str());
    std::printf("\n");
  };
  if (!names.empty()) row("measured", "", "pirn", std::string(go_version));
  for (const std::string& name : names) {
    row("", name, shown(result.measured, name), result.go ? shown(*result.go, name) : "");
  }
  std::printf("     %-7s   %.*s: %s\n\n", words_for(result.verdict).shown, static_cast<int>(e.id.size()), e.id.data(),
              result.why.c_str());
  std::fflush(stdout);
}

std::string json_report(const std::vector<finished_entry>& entries, std::string_view go_version) {
  std::string result = "[";
  for (const finished_entry& one : entries) {
    std::string go = "null";
    if (one.result.go) {
      readings with_version;
      with_version.set("version", std::string(go_version));
      with_version.set_all(*one.result.go);
      go = json_object(with_version);
    }
    result += result.size() > 1 ? ",\n " : "\n ";
    result += "{\"id\": " + quoted(one.what.id) + ", \"title\": " + quoted(one.what.title) +
              ", \"seed\": " + quoted(one.what.seed) + ", \"target\": " + quoted(one.what.target) +
              ",\n  \"measured\": " + json_object(one.result.measured) + ",\n  \"go\": " + go +
              ",\n  \"verdict\": " + quoted(words_for(one.result.verdict).in_json) +
              ", \"why\": " + quoted(one.result.why) + "}";
  }
  return result + "\n]\n";
}

}  // namespace lab
