// Counts calls of operator new in this process, for the exercises that promise a form without allocations.
// Layer: lab/support. Costs nothing but a test of a flag while nothing is counted.
#pragma once

namespace lab {

// Counts from its construction to its destruction, on every thread. One at a time.
class allocation_count {
 public:
  allocation_count();
  ~allocation_count();
  allocation_count(const allocation_count&) = delete;
  allocation_count& operator=(const allocation_count&) = delete;
  long so_far() const;
};

}  // namespace lab
