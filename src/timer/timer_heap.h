// Timers of one P: a 4-ary heap with lazy deletion and lazy reset. Layer: timer.
//
// An entry carries its key, so sifting touches only the array. A node remembers the key of the one entry that counts
// (entry_when); entries that no longer match it, or whose node is inactive, are dropped when they surface or when they
// exceed a quarter of the heap. So stop() and a reset to a later instant touch no heap at all, and a reset to an
// earlier one pushes a second entry.
//
// A goroutine that sleeps needs no node: its entry points at it, so waking it touches nothing else.
//
// Due timers are returned, not scheduled: goroutines to wake as a list, callbacks that may do anything (`deferred`) as
// another; a bounded number at a time, so that who is woken runs while it is still in cache. Only `locked` callbacks
// run here, under the heap's lock, so that stopping such a timer excludes its firing; they must not wait, allocate or
// touch a timer. A heap is locked only inside the runtime or by foreign threads; any P may run the due timers of any
// heap. The array grows by mremap, never by malloc, so no user lock is ever waited for under the spinlock. Nodes are
// not freed there either: those that nothing refers to any more stay with the heap until a timer call takes them along
// to where it is outside (dead_timers).
#pragma once

#include <atomic>
#include <cstdint>

#include "g/goroutine.h"
#include "os/futex.h"
#include "os/spinlock.h"
#include "os/untracked.h"

namespace pirn::rt {

class timer_heap;
struct timer_node;

enum class timer_action : std::uint8_t { locked, deferred };

struct timer_kind {
  timer_action action;
  // locked: under the heap's lock. deferred: after it, on the scheduler's stack or a goroutine's, inside the runtime.
  void (*fire)(timer_node& t, std::int64_t due_ns) noexcept;
  // Frees an orphan once the heap lets go of it.
  void (*destroy)(timer_node& t) noexcept;
  // The run is over while the timer was armed. May be null.
  void (*forget)(timer_node& t) noexcept;
};

struct timer_node {
  static constexpr std::int64_t k_no_entry = k_forever;

  const timer_kind* kind = nullptr;  // Constant after construction.
  void* arg = nullptr;               // Constant after construction.
  timer_heap* heap = nullptr;        // Constant after construction.
  // Guarded by the heap's lock.
  std::int64_t when = 0;                 // fires then, if active
  std::int64_t period = 0;               // > 0: fires again
  std::int64_t entry_when = k_no_entry;  // key of the entry that counts
  std::uint32_t entries = 0;             // entries in the heap that point here
  std::uint32_t pins = 0;                // deferred firings under way
  bool active = false;
  bool removed = false;  // by stop, no entry left: no heap will touch it until it is started again
  bool orphan = false;   // nobody else refers to it
  std::int64_t fired_due = 0;
  timer_node* next_fired = nullptr;
};

// What run_due() found. Lists in order of their instants.
struct due_timers {
  goroutine* wake_first = nullptr;
  goroutine* wake_last = nullptr;
  timer_node* deferred_first = nullptr;
  timer_node* deferred_last = nullptr;
};

// Nodes that nothing refers to any more, destroyed with this object. Its owner makes it before he enters the runtime.
class dead_timers {
 public:
  dead_timers() = default;
  dead_timers(const dead_timers&) = delete;
  dead_timers& operator=(const dead_timers&) = delete;
  ~dead_timers() {
    if (PIRN_UNLIKELY(first_ != nullptr)) destroy_all();
  }

 private:
  friend class timer_heap;
  void destroy_all() noexcept;
  timer_node* first_ = nullptr;
};

class timer_heap : public untracked {
 public:
  // The earliest key, k_forever when empty; may be early (a stopped timer), never late. Any thread, any time.
  std::int64_t next_when() const noexcept { return next_when_.load(std::memory_order_acquire); }

  spinlock& lock() noexcept { return mu_; }

  // The *_locked forms REQUIRE lock().
  // (Re)arms the timer; returns whether it was armed. O(1) when `when` is not earlier than its entry, else O(log n).
  bool start_locked(timer_node& t, std::int64_t when, std::int64_t period = 0) noexcept;
  bool stop_locked(timer_node& t) noexcept;
  // Wakes g then. Cannot be taken back.
  void sleep_locked(goroutine& g, std::int64_t when) noexcept;
  // After *_locked. `dead` gets what has lost its last entry here.
  void unlock(dead_timers& dead) noexcept {
    if (PIRN_UNLIKELY(dead_ != nullptr)) take_dead(dead);
    mu_.unlock();
  }
  bool start(timer_node& t, std::int64_t when, std::int64_t period, dead_timers& dead) noexcept;

  // Gives the node up: it is destroyed when the last entry has gone. Must not be used after.
  void abandon(timer_node& t, dead_timers& dead) noexcept;

  // Takes what is due at `now` out, k_at_once at most. False when another thread is at it (it will do the work).
  bool run_due(std::int64_t now, due_timers& out) noexcept;
  // After a deferred timer's fire() has returned.
  void unpin(timer_node& t) noexcept;

  // Forgets every timer; the run that they belonged to is over.
  void clear() noexcept;

  std::size_t size() const noexcept { return size_; }

 private:
  static constexpr int k_at_once = 64;
  static constexpr std::uintptr_t k_sleeper = 1;  // tag: the entry is a goroutine, not a node

  struct entry {
    std::int64_t when;
    std::uintptr_t what;

    bool is_sleeper() const noexcept { return (what & k_sleeper) != 0; }
    goroutine* sleeper() const noexcept { return reinterpret_cast<goroutine*>(what & ~k_sleeper); }
    timer_node& node() const noexcept { return *reinterpret_cast<timer_node*>(what); }
  };
  void push(std::int64_t when, std::uintptr_t what) noexcept;
  void push(std::int64_t when, timer_node& t) noexcept;
  entry pop() noexcept;
  void sift_down(std::size_t i, entry e) noexcept;
  void grow() noexcept;
  void drop_stale() noexcept;
  void release_entry(timer_node& t) noexcept;
  void bury(timer_node& t) noexcept;
  void take_dead(dead_timers& dead) noexcept;
  void publish() noexcept { next_when_.store(size_ == 0 ? k_forever : heap_[0].when, std::memory_order_release); }

  spinlock mu_;
  // Guarded by mu_.
  entry* heap_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  timer_node* dead_ = nullptr;  // to be destroyed by the next who can
  std::size_t stale_ = 0;       // entries that will be dropped: an upper bound for when to look
  std::atomic<std::int64_t> next_when_{k_forever};
};

}  // namespace pirn::rt
