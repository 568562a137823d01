// Several forms of one piece of work: measured in turns by the probe, set against each other by the judge.
// Layer: lab/support.
#pragma once

#include <pirn/pirn.h>

#include <functional>
#include <string>
#include <vector>

#include "support/probe.h"
#include "support/trial.h"

namespace lab {

struct form {
  const char* name;                  // of the value it reports
  std::function<void()> work;        // all of it, once
  std::function<void()> check = {};  // of its result, after the clock has stopped
};

// Runs every form `rounds` times, in turns so that a drift of the machine meets all alike, and emits under each name
// the median of its nanoseconds per operation.
void measure_in_turns(int rounds, double operations, const std::vector<form>& forms);

// Runs body(worker) in `workers` goroutines and waits.
template <typename Body>
void each_worker(int workers, const Body& body) {
  pirn::wait_group wg;
  for (int w = 0; w < workers; ++w) {
    wg.go([&body, w] { body(w); });
  }
  wg.wait();
}

// The names under which both programs report the two forms, and by how much the improved one must be cheaper.
struct two_forms {
  const char* slow;
  const char* improved;
  double ratio;
  const char* unit = "ns";
  std::string prefix = {};  // under which the ratio is recorded
};

// Records the ratio of the forms on both sides and checks the gain (see trial::check_gain). The cheap slow form is held
// against `documented` and, where there is a twin, against Go's slow form.
void judge_forms(trial& t, const paired& both, const two_forms& forms, std::vector<trial::reference> documented = {});

}  // namespace lab
