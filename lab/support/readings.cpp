// Parsing and medians of what the lab's programs report. Layer: lab/support. See readings.h.
#include "support/readings.h"

#include <algorithm>
#include <cstdlib>

namespace lab {

readings readings::parse(std::string_view output) {
  readings result;
  while (!output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    const std::string_view line = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || space == 0) continue;
    std::string text(line.substr(space + 1));
    char* rest = nullptr;
    const double number = std::strtod(text.c_str(), &rest);
    const bool numeric = rest != text.c_str() && *rest == '\0';
    result.set(std::string(line.substr(0, space)), numeric ? value(number) : value(std::move(text)));
  }
  return result;
}

void readings::set(std::string name, value v) {
  for (item& present : items_) {
    if (present.first == name) {
      present.second = std::move(v);
      return;
    }
  }
  items_.emplace_back(std::move(name), std::move(v));
}

void readings::set_all(const readings& other) {
  for (const item& one : other.items_) set(one.first, one.second);
}

const readings::value& readings::at(std::string_view name) const {
  for (const item& one : items_) {
    if (one.first == name) return one.second;
  }
  throw probe_error("no value '" + std::string(name) + "' was reported");
}

double readings::number(std::string_view name) const {
  if (const double* number = std::get_if<double>(&at(name))) return *number;
  throw probe_error("'" + std::string(name) + "' is not a number");
}

const std::string& readings::text(std::string_view name) const {
  if (const std::string* text = std::get_if<std::string>(&at(name))) return *text;
  throw probe_error("'" + std::string(name) + "' is not text");
}

double median(std::vector<double> values) {
  if (values.empty()) throw probe_error("a median of no values");
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

readings medians(const std::vector<readings>& runs) {
  readings result;
  if (runs.empty()) return result;
  for (const readings::item& one : runs.front().items()) {
    if (std::holds_alternative<std::string>(one.second)) {
      result.set(one.first, one.second);
      continue;
    }
    std::vector<double> values;
    values.reserve(runs.size());
    for (const readings& run : runs) values.push_back(run.number(one.first));
    result.set(one.first, median(std::move(values)));
  }
  return result;
}

}  // namespace lab
