// What one program of the lab reported: an ordered list of named values, numbers or text.
// Layer: lab/support. Probes (our children) and Go twins print them alike, one `name value` line each, so that both
// sides of a comparison go through the same parser and the same medians.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lab {

// A program of the lab failed, or did not report what its entry needs.
class probe_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class readings {
 public:
  using value = std::variant<double, std::string>;
  using item = std::pair<std::string, value>;

  // Every line `name value` of `output`; a value that is not wholly a number is text.
  static readings parse(std::string_view output);

  void set(std::string name, value v);
  void set_all(const readings& other);

  // Throws probe_error when `name` is missing or of the other kind.
  double number(std::string_view name) const;
  const std::string& text(std::string_view name) const;

  const std::vector<item>& items() const { return items_; }
  bool empty() const { return items_.empty(); }

 private:
  const value& at(std::string_view name) const;

  std::vector<item> items_;
};

double median(std::vector<double> values);

// The medians of repeated runs of one program; text is taken from the first.
readings medians(const std::vector<readings>& runs);

}  // namespace lab
