// What the kernel says about this process: its threads, descriptors and mappings, for tests that check what a run
// takes and gives back. Layer: tests.
#pragma once

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace pirn_test {

inline int entries_of(const char* directory) {
  DIR* d = opendir(directory);
  if (d == nullptr) return -1;
  int n = 0;
  while (readdir(d) != nullptr) ++n;
  closedir(d);
  return n;
}

inline int count_threads() { return entries_of("/proc/self/task") - 2; }
inline int count_descriptors() { return entries_of("/proc/self/fd") - 2; }

inline int count_mappings() {
  std::ifstream maps("/proc/self/maps");
  int n = 0;
  for (std::string line; std::getline(maps, line);) ++n;
  return n;
}

// Asks the kernel every time: a cached thread id would be the wrong one after a goroutine changed threads.
[[gnu::noinline]] inline long thread_id() { return syscall(SYS_gettid); }

inline bool thread_exists(long tid) { return access(("/proc/self/task/" + std::to_string(tid)).c_str(), F_OK) == 0; }

}  // namespace pirn_test
