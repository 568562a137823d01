// What a back end of the poller does: it tells which descriptors have become ready. Layer: poll.
//
// The contract, for epoll and for whatever else is to stand behind it:
//   [PO-1] Edges. After add() at least one report follows each change from "would block" to "would not", for either
//          direction, and one follows add() itself for what is ready by then. There may be more, and a report may be
//          late: that a descriptor was reported means that it is worth a try, nothing else.
//   [PO-2] A report is handed to one caller of wait() only, who must deliver it.
//   [PO-3] At most one thread at a time waits with a deadline in the future; any number may look without waiting.
//   [PO-4] interrupt() makes the one that waits return, or the next that comes to wait if none does. Who only looks
//          does not use the interruption up.
// Reports carry the tag that was given to add(). A tag is never used for two descriptors, so that what is reported
// late, of one that has been closed, is known to be stale; the number of a descriptor alone would not tell.
#pragma once

#include <cstdint>

namespace pirn::rt {

inline constexpr std::uint32_t k_poll_read = 1;
inline constexpr std::uint32_t k_poll_write = 2;
// The other side has ended, or there is an error: reading will not block again.
inline constexpr std::uint32_t k_poll_ended = 4;

struct poll_report {
  std::uint64_t tag = 0;
  std::uint32_t what = 0;  // k_poll_*
};

class poller {
 public:
  static constexpr int k_at_once = 128;

  poller() = default;
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;
  virtual ~poller() = default;

  // 0 or the error number; that it was there already is no error. Any thread.
  virtual int add(int fd, std::uint64_t tag) noexcept = 0;
  // Before the descriptor is closed. A report may be under way still. Any thread.
  virtual void remove(int fd) noexcept = 0;
  // Up to k_at_once reports; how many. Waits for one until deadline_ns (0: not at all); fewer than one when that
  // passed, when interrupted, or after a signal to the thread.
  virtual int wait(poll_report* out, std::int64_t deadline_ns) noexcept = 0;
  // Any thread, also one that holds locks: does not wait.
  virtual void interrupt() noexcept = 0;
};

// Null, and errno says why, when the kernel gives none.
poller* new_epoll_poller() noexcept;

}  // namespace pirn::rt
