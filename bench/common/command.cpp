// The command line of a C++ bench program: one process takes one sample of one workload; bench/run.py interleaves the
// processes of pirn and its peers.
//     pirn-bench --list
//     pirn-bench --run NAME --procs N          a JSON line per figure; exit status 1 when the workload's check failed
//     pirn-bench --smoke [--run NAME] [--procs N]   everything, tiny: for the checks, never for the figures
// Layer: bench; knows no runtime.

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "bench.h"

namespace pirn_bench {

void fail(const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw check_failed(text);
}

std::uint8_t slots[k_slots];

void clear_slots(number n) { std::fill_n(slots, n, std::uint8_t{0}); }

void require_slots(number n) {
  for (number i = 0; i < n; ++i) {
    if (slots[i] != 1) fail("goroutine %ld did not run before the wait returned", static_cast<long>(i));
  }
}

namespace {

struct options {
  bool list = false;
  bool smoke = false;
  bool subject = false;
  std::string run;
  int procs = 1;
};

class bad_arguments : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

options parse(const program& p, std::span<char*> arguments) {
  options o;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const auto value = [&]() -> std::string {
      if (i + 1 == arguments.size()) throw bad_arguments(std::string(argument) + " needs a value");
      return arguments[++i];
    };
    if (argument == "--list") {
      o.list = true;
    } else if (argument == "--smoke") {
      o.smoke = true;
    } else if (argument == "--idle-subject" && p.subject != nullptr) {
      o.subject = true;
    } else if (argument == "--run") {
      o.run = value();
    } else if (argument == "--procs") {
      const std::string text = value();
      char* end = nullptr;
      const long n = std::strtol(text.c_str(), &end, 10);
      if (text.empty() || *end != '\0' || n < 1 || n > 4096) {
        throw bad_arguments("--procs takes a number from 1 to 4096, not '" + text + "'");
      }
      o.procs = static_cast<int>(n);
    } else {
      throw bad_arguments("unknown argument '" + std::string(argument) + "'");
    }
  }
  return o;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out + '"';
}

void print(const sample& s, int procs, const std::string& check) {
  std::printf("{\"name\":%s,\"procs\":%d,\"value\":%.10g,\"unit\":%s,\"check\":%s}\n", json_text(s.name).c_str(), procs,
              s.value, json_text(s.unit).c_str(), json_text(check).c_str());
  std::fflush(stdout);
}

// Runs one workload and prints its samples; tells whether the workload's own check held.
bool run_one(const program& p, const workload& w, const options& o) {
  run_state state(w, o.procs, o.smoke);
  try {
    if (w.outside) {
      w.body(state);
    } else {
      p.inside(o.procs, [&] { w.body(state); });
    }
  } catch (const std::exception& failure) {
    print({w.name, 0, w.unit}, o.procs, std::string("failed: ") + failure.what());
    return false;
  }
  for (const sample& s : state.samples()) print(s, o.procs, "ok");
  return true;
}

int run_all(const program& p, const options& o) {
  if (o.subject) return p.subject(o.procs);
  if (!o.list && !o.smoke && o.run.empty()) throw bad_arguments("one of --list, --run NAME or --smoke is needed");
  bool found = false;
  bool ok = true;
  for (const auto& family : p.families) {
    for (const workload& w : family) {
      if (o.list) {
        std::puts(w.name);
      } else if (o.run == w.name || o.run.empty()) {
        found = true;
        ok = run_one(p, w, o) && ok;
      }
    }
  }
  if (!o.list && !found) throw bad_arguments("unknown workload '" + o.run + "' (see --list)");
  return ok ? 0 : 1;
}

}  // namespace

int bench_main(const program& p, std::span<char*> arguments) {
  try {
    return run_all(p, parse(p, arguments));
  } catch (const bad_arguments& refusal) {
    std::fprintf(stderr, "%s: %s\n", p.name, refusal.what());
    return 2;
  }
}

}  // namespace pirn_bench
