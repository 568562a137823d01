// pirn-bench: one process takes one sample of one workload; bench/run.py interleaves the processes with the peers'.
//     pirn-bench --list
//     pirn-bench --run NAME --procs N          a JSON line per figure; exit status 1 when the workload's check failed
//     pirn-bench --smoke [--run NAME] [--procs N]   everything, tiny: for the checks, never for the figures
// Layer: bench.

#include <pirn/pirn.h>

#include <array>
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

[[noreturn]] void usage(const std::string& text) {
  std::fprintf(stderr, "pirn-bench: %s\n", text.c_str());
  std::exit(2);
}

options parse(std::span<char*> arguments) {
  options o;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const auto value = [&]() -> std::string {
      if (i + 1 == arguments.size()) usage(std::string(argument) + " needs a value");
      return arguments[++i];
    };
    if (argument == "--list") {
      o.list = true;
    } else if (argument == "--smoke") {
      o.smoke = true;
    } else if (argument == "--idle-subject") {
      o.subject = true;
    } else if (argument == "--run") {
      o.run = value();
    } else if (argument == "--procs") {
      const std::string text = value();
      char* end = nullptr;
      const long n = std::strtol(text.c_str(), &end, 10);
      if (text.empty() || *end != '\0' || n < 1 || n > 4096) {
        usage("--procs takes a number from 1 to 4096, not '" + text + "'");
      }
      o.procs = static_cast<int>(n);
    } else {
      usage("unknown argument '" + std::string(argument) + "'");
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
bool run_one(const workload& w, const options& o) {
  run_state state(w, o.procs, o.smoke);
  try {
    if (w.outside) {
      w.body(state);
    } else {
      pirn::config config;
      config.gomaxprocs = o.procs;
      config.at_exit = pirn::at_exit::wait;  // a goroutine that never ends is a failure too
      pirn::run(config, [&] {
        if (pirn::runtime::gomaxprocs() != o.procs) fail("gomaxprocs is not %d", o.procs);
        w.body(state);
      });
    }
  } catch (const std::exception& failure) {
    print({w.name, 0, w.unit}, o.procs, std::string("failed: ") + failure.what());
    return false;
  }
  for (const sample& s : state.samples()) print(s, o.procs, "ok");
  return true;
}

int bench_main(const options& o) {
  if (o.subject) return idle_subject(o.procs);
  if (!o.list && !o.smoke && o.run.empty()) usage("one of --list, --run NAME or --smoke is needed");
  const std::array families = {spawn_workloads(), channel_workloads(), sched_workloads(),
                               mutex_workloads(), select_workloads(),  timer_workloads(),
                               app_workloads(),   parked_workloads(),  idle_workloads()};
  bool found = false;
  bool ok = true;
  for (const auto& family : families) {
    for (const workload& w : family) {
      if (o.list) {
        std::puts(w.name);
      } else if (o.run == w.name || o.run.empty()) {
        found = true;
        ok = run_one(w, o) && ok;
      }
    }
  }
  if (!o.list && !found) usage("unknown workload '" + o.run + "' (see --list)");
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace pirn_bench

int main(int argc, char** argv) {
  return pirn_bench::bench_main(pirn_bench::parse(std::span(argv + 1, static_cast<std::size_t>(argc - 1))));
}
