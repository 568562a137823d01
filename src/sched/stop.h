// Stopping the world: a short time in which no goroutine starts, stops, ends or is queued. Layer: sched.
// Essay: docs/internals/reports.md. Model: docs/internals/models/stop.pml.
//
// Whoever wants to change a goroutine's state is inside with a P (sched/entry.h), so it is enough to act as the owner
// of all Ps at once: the hold handshake for those that a worker has, scheduler::mu for those that are idle, which keeps
// anyone from taking one. What runs outside goes on running: only the next entry waits.
// Foreign threads may still take goroutines off wait queues; they queue them under mu, and so wait as well.
#pragma once

#include <cstdint>

#include "os/mapped_vector.h"
#include "sched/in_place.h"

namespace pirn::rt {

class world_stop {
 public:
  // `self`: the worker that this thread is, or null. Its P is taken for stopped.
  world_stop(scheduler& s, worker* self) noexcept : s_(s), self_(self) {}
  world_stop(const world_stop&) = delete;
  world_stop& operator=(const world_stop&) = delete;
  ~world_stop() { end(); }

  // False when it could not be done before the instant `until`: a thread is inside and does not come out, or has died
  // there. What was stopped meanwhile goes on.
  bool try_begin(std::int64_t until) noexcept;
  void end() noexcept;

 private:
  bool hold_all() noexcept;
  bool all_stopped() const noexcept;
  bool is_held(const worker* w) const noexcept;
  void let_go() noexcept;

  scheduler& s_;
  worker* self_;
  const unstoppable with_mu_{self_};
  bool begun_ = false;
  struct held {
    worker* w;
  };
  mapped_vector<held> held_;
};

}  // namespace pirn::rt
