// Layer: lab/support. See forms.h.
#include "support/forms.h"

namespace lab {

void measure_in_turns(int rounds, double operations, const std::vector<form>& forms) {
  std::vector<std::vector<double>> each(forms.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < forms.size(); ++i) {
      const stopwatch watch;
      forms[i].work();
      each[i].push_back(watch.ns() / operations);
      if (forms[i].check) forms[i].check();
    }
  }
  for (std::size_t i = 0; i < forms.size(); ++i) emit(forms[i].name, median(each[i]));
}

void judge_forms(trial& t, const paired& both, const two_forms& forms, std::vector<trial::reference> documented) {
  const double slow = both.pirn.number(forms.slow);
  const double improved = both.pirn.number(forms.improved);
  const std::string ratio = forms.prefix + forms.slow + "_to_" + forms.improved;
  t.measured(ratio, slow / improved);
  if (both.go) {
    const double theirs = both.go->number(forms.slow);
    t.go(ratio, theirs / both.go->number(forms.improved));
    documented.push_back({"Go's slow form", slow, theirs});
  }
  t.check_gain({.slow = slow, .improved = improved, .ratio = forms.ratio, .unit = forms.unit}, documented);
}

}  // namespace lab
