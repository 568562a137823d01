// A descriptor that goroutines wait for: one object for reading, writing, deadlines and closing, used from any thread.
// Layer: sync. What waiting means: poll/poll_desc.h.
//
// The descriptor is closed when it was told so and the last call on it has returned, never under one: its number cannot
// come to mean another file while a call still uses it. It is added to the poller of the run by the first wait in that
// run; an object may outlive runs. Foreign threads wait in poll(2) themselves.
// Invariant: the object lives while its owner has it or the descriptor is open.
#pragma once

#include <atomic>
#include <cstdint>

#include "poll/poll_desc.h"

namespace pirn::rt {

struct deadline_timer;

class pollable {
 public:
  // Takes fd over, which must be non-blocking. Null, with errno set, when there is no memory, or no poller to be had:
  // then fd stays the caller's.
  // `stream`: a read that gets less than it asked for has got all there was.
  static pollable* make(int fd, bool stream) noexcept;
  pollable(const pollable&) = delete;
  pollable& operator=(const pollable&) = delete;

  // The owner's last word: closes the descriptor if it is open.
  void release() noexcept;

  // Ends all waits. False when it was closed before. With `disconnect` and calls under way the connection is shut down
  // at once: they may take a while to return.
  bool close(bool disconnect) noexcept;

  // A call on the descriptor, from the first try to the last.
  class use {
   public:
    explicit use(pollable* p) noexcept : p_(p != nullptr && p->begin_use() ? p : nullptr) {}
    use(const use&) = delete;
    use& operator=(const use&) = delete;
    ~use() {
      if (p_ != nullptr) p_->end_use();
    }
    // False: it is closed.
    explicit operator bool() const noexcept { return p_ != nullptr; }
    pollable* operator->() const noexcept { return p_; }

   private:
    pollable* p_;
  };

  int fd() const noexcept { return fd_; }

  // It was told to close while calls are under way: whatever they get now is of that.
  bool closing() const noexcept { return (state_.load(std::memory_order_acquire) & k_closed) != 0; }
  // Whether the deadline has passed: then nothing is to be tried.
  bool expired(poll_side s) const noexcept { return desc_->side(s).expired.load(std::memory_order_acquire); }
  // Before the first try of a call: spares it one that a report of before would have it make. [PD-1]
  void begin_try(poll_side s) noexcept { forget_ready(*desc_, s); }
  // After a try that would have blocked. Parks, or blocks a foreign thread, until another try may succeed, or never
  // will; `error` is the reason why waiting failed.
  poll_result wait(poll_side s, int& error);

  // When tp is past calls fail at once, those that wait now too; k_forever: never. Any thread.
  void set_deadline(poll_side s, std::int64_t tp);

  bool is_stream() const noexcept { return stream_; }
  // A read of a stream has got less than it asked for: the next one would block, unless something was reported since.
  // It may be spared the try: what comes after the short read is reported anew [PO-1], and what ends the stream, which
  // may have been reported before, is remembered (poll_desc::ended).
  void read_was_short() noexcept { short_read_ = true; }
  bool read_would_block() noexcept;

 private:
  friend struct deadline_timer;
  friend struct pollable_access;
  pollable(int fd, poll_desc* desc, bool stream) noexcept : fd_(fd), desc_(desc), stream_(stream) {}
  ~pollable() = default;
  bool begin_use() noexcept;
  void end_use() noexcept;
  void drop_share() noexcept;
  void close_descriptor() noexcept;
  int add_to_poller() noexcept;
  poll_result wait_on_thread(poll_side s) noexcept;
  poll_result wait_a_while(poll_side s) noexcept;
  deadline_timer& need_timer(poll_side s);

  static constexpr std::uint32_t k_closed = 1;
  static constexpr std::uint32_t k_one_use = 2;
  // Uses, one more for being open, and whether it was told to close. seq_cst is not needed: all are read-modify-writes
  // of one word.
  std::atomic<std::uint32_t> state_{k_one_use};
  std::atomic<std::uint32_t> shares_{2};    // of this object: the owner's and the open descriptor's
  std::atomic<std::uint32_t> added_to_{0};  // net_poll::number
  const int fd_;
  poll_desc* const desc_;
  const bool stream_;
  bool short_read_ = false;  // the reader's
  std::atomic<deadline_timer*> timers_[2]{};
};

}  // namespace pirn::rt
