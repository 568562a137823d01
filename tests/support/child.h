// Child processes of a test: pieces of code that are to end the process, or that need limits or an environment of
// their own, run in a fresh copy of the test program whose exit status and output the test then looks at.
//
// Layer: tests. Invariant: a child is killed after a minute, so a hang shows as SIGALRM, never as a stuck test.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pirn_test {

struct child_result {
  int exit_code = -1;  // -1 when a signal ended the child
  int signal = 0;
  std::string output;  // stdout and stderr together

  // For failure messages.
  std::string describe() const;
};

struct child_registration {
  child_registration(const char* name, int (*body)());
};

// Starts this program again, running only the child of that name, with these variables added to its environment.
child_result run_child(const std::string& name,
                       const std::vector<std::pair<std::string, std::string>>& environment = {});

// The exit status by which a child says that this machine cannot do what the test needs.
inline constexpr int k_child_cannot_run = 77;

}  // namespace pirn_test

// PIRN_CHILD(name) { ...; return exit_code; }
#define PIRN_CHILD(name)                                                                    \
  static int pirn_child_##name();                                                           \
  static const ::pirn_test::child_registration registered_##name{#name, pirn_child_##name}; \
  static int pirn_child_##name()
