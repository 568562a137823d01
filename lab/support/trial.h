// One run of one entry, seen from its judge: starts the programs, records what they measured, collects the checks.
// Layer: lab/support. The verdict is ok only when every check held and at least one was made; skipped, which is no
// failure, when this machine lacks what the exercise needs and no check broke.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "support/go_twins.h"
#include "support/process.h"
#include "support/readings.h"
#include "support/registry.h"

namespace lab {

enum class verdict { ok, miss, skipped };

struct outcome {
  readings measured;
  std::optional<readings> go;
  lab::verdict verdict = lab::verdict::miss;
  std::string why;
};

// Medians of an entry's programs, ours and Go's, that were run in turns.
struct paired {
  readings pirn;
  std::optional<readings> go;
};

class trial {
 public:
  trial(const entry& e, go_twins& twins, bool quick) : entry_(e), twins_(twins), quick_(quick) {}

  bool quick() const { return quick_; }
  // The number for this run: `full`, or `shortened` with --quick.
  int pick(int full, int shortened) const { return quick_ ? shortened : full; }

  // Says on the terminal what is about to run.
  void ran(const std::string& what) const;

  // One run of the entry's probe in a child process; throws probe_error when it fails.
  readings probe(const std::vector<std::string>& args, const launch& how = {}) const;
  // The same for a program whose end or stderr is the subject: whatever became of it.
  process_result attempt(const std::vector<std::string>& args, const launch& how = {}) const;
  // One run of the Go twin; nullopt without a Go toolchain.
  std::optional<readings> twin(const std::vector<std::string>& args, const launch& how = {});
  std::optional<process_result> attempt_twin(const std::vector<std::string>& args, const launch& how = {});
  // `repeats` runs of both with the same arguments, in turns.
  paired beside(int repeats, const std::vector<std::string>& args, const launch& how = {});

  void measured(const std::string& name, readings::value value) { outcome_.measured.set(name, std::move(value)); }
  void go(const std::string& name, readings::value value);
  // Records all of both sides, under `prefix` + name.
  void record(const paired& both, const std::string& prefix = {});

  // A statement with its figures ("warm 21 ns <= 200 ns each") and whether it holds.
  void check(bool holds, const std::string& statement);
  // `value` <= `limit`, both in `unit`.
  void check_at_most(const std::string& what, double value, double limit, const std::string& unit);

  // The optimisation exercises' rule. The improved form is `ratio` times cheaper than the slow one; or our slow form
  // is cheap already: it costs at most a third of what the document, or Go in this run, says it costs.
  struct gain {
    double slow;
    double improved;
    double ratio;
    std::string unit;
  };
  struct reference {
    std::string what;  // "Go's slow form"
    double ours;
    double theirs;
  };
  void check_gain(const gain& g, const std::vector<reference>& references);

  // This machine lacks what the exercise needs: `reason` says what.
  void skip(const std::string& reason);

  outcome finish();

 private:
  const entry& entry_;
  go_twins& twins_;
  const bool quick_;
  outcome outcome_;
  std::vector<std::string> held_;
  std::vector<std::string> broken_;
  std::string skipped_;
};

// printf into a string.
std::string text(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace lab
