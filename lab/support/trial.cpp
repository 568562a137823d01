// Runs probes and twins in turns and turns checks into a verdict. Layer: lab/support. See trial.h.
#include "support/trial.h"

#include <cstdarg>
#include <cstdio>

namespace lab {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string result;
  for (const std::string& part : parts) result += (result.empty() ? "" : "; ") + part;
  return result;
}

process_result run_with(std::vector<std::string> command, const std::vector<std::string>& args, const launch& how) {
  command.insert(command.end(), args.begin(), args.end());
  return run_process(command, how);
}

readings parsed(const process_result& result, const char* who) {
  if (!result.ok()) throw probe_error(std::string(who) + ": " + result.failure());
  return readings::parse(result.out);
}

}  // namespace

std::string text(const char* format, ...) {
  char buffer[512];
  va_list list;
  va_start(list, format);
  std::vsnprintf(buffer, sizeof buffer, format, list);
  va_end(list);
  return buffer;
}

void trial::ran(const std::string& what) const {
  std::printf("     ran       %s\n", what.c_str());
  std::fflush(stdout);
}

readings trial::probe(const std::vector<std::string>& args, const launch& how) const {
  return parsed(attempt(args, how), "the program");
}

process_result trial::attempt(const std::vector<std::string>& args, const launch& how) const {
  return run_with({own_executable(), "--child", std::string(entry_.id)}, args, how);
}

std::optional<readings> trial::twin(const std::vector<std::string>& args, const launch& how) {
  const std::optional<process_result> result = attempt_twin(args, how);
  if (!result) return std::nullopt;
  return parsed(*result, "the Go twin");
}

std::optional<process_result> trial::attempt_twin(const std::vector<std::string>& args, const launch& how) {
  const std::optional<std::string> program = twins_.executable(entry_.id);
  if (!program) return std::nullopt;
  return run_with({*program}, args, how);
}

paired trial::beside(int repeats, const std::vector<std::string>& args, const launch& how) {
  std::vector<readings> ours;
  std::vector<readings> theirs;
  for (int i = 0; i < repeats; ++i) {
    ours.push_back(probe(args, how));
    if (std::optional<readings> go = twin(args, how)) theirs.push_back(std::move(*go));
  }
  paired result{medians(ours), std::nullopt};
  if (!theirs.empty()) result.go = medians(theirs);
  return result;
}

void trial::go(const std::string& name, readings::value value) {
  if (!outcome_.go) outcome_.go.emplace();
  outcome_.go->set(name, std::move(value));
}

void trial::record(const paired& both, const std::string& prefix) {
  for (const readings::item& one : both.pirn.items()) measured(prefix + one.first, one.second);
  if (!both.go) return;
  for (const readings::item& one : both.go->items()) go(prefix + one.first, one.second);
}

void trial::check(bool holds, const std::string& statement) { (holds ? held_ : broken_).push_back(statement); }

void trial::check_at_most(const std::string& what, double value, double limit, const std::string& unit) {
  const bool holds = value <= limit;
  check(holds,
        text("%s %.3g %s %s %.3g %s", what.c_str(), value, unit.c_str(), holds ? "<=" : ">", limit, unit.c_str()));
}

void trial::check_gain(const gain& g, const std::vector<reference>& references) {
  const double gained = g.slow / g.improved;
  const char* unit = g.unit.c_str();
  std::string figures = text("slow %.3g %s, improved %.3g %s: %.1fx", g.slow, unit, g.improved, unit, gained);
  if (gained >= g.ratio) return check(true, figures + text(" >= %gx", g.ratio));
  figures += text(" < %gx", g.ratio);
  bool cheap = false;
  for (const reference& r : references) {
    const bool holds = r.ours <= r.theirs / 3;
    cheap = cheap || holds;
    figures += text(", %.3g %s is %s a third of %s, %.3g %s", r.ours, unit, holds ? "at most" : "over", r.what.c_str(),
                    r.theirs, unit);
  }
  check(cheap, figures);
}

void trial::skip(const std::string& reason) { skipped_ = reason; }

outcome trial::finish() {
  if (!broken_.empty()) {
    outcome_.why = joined(broken_);
  } else if (!skipped_.empty()) {
    outcome_.verdict = verdict::skipped;
    outcome_.why = skipped_;
  } else if (!held_.empty()) {
    outcome_.verdict = verdict::ok;
    outcome_.why = joined(held_);
  } else {
    outcome_.why = "nothing was checked";
  }
  return std::move(outcome_);
}

}  // namespace lab
