// The channel without its element type. Internal to the headers.
// Layer: sync.
//
// Invariants, under the lock: no sender waits while there is room or a receiver waits; no receiver waits while there is
// a value or a sender waits; a closed channel has no waiters.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

namespace pirn {

class context;

// What a non-blocking receive found.
enum class chan_status { ok, empty, closed };

namespace detail {

struct chan_waiter;

// How the core handles elements. Trivial ones lie in the ring and are copied as bytes; all others lie in boxes that the
// sender allocates before it takes the lock, and the ring holds pointers: so under the lock runs at most T's nothrow
// move, never a destructor or an allocation.
struct element_ops {
  std::size_t size;
  std::size_t align;
  bool trivial;
  void (*move)(void* to, void* from) noexcept;  // constructs *to
  void* (*new_box)();                           // uninitialised; may throw std::bad_alloc
  void (*delete_box)(void* box) noexcept;       // uninitialised
  void (*unbox)(void* box, void* to) noexcept;  // constructs *to, destroys and frees the box
  void (*drop_box)(void* box) noexcept;         // destroys and frees
};

template <class T>
struct element {
  static_assert(std::is_nothrow_move_constructible_v<T>, "a channel's element type must be nothrow-movable");
  static constexpr std::size_t size = sizeof(T);  // NOLINT(bugprone-sizeof-expression): T may well be a pointer
  static constexpr bool trivial = std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>;
  static void move(void* to, void* from) noexcept { ::new (to) T(std::move(*static_cast<T*>(from))); }
  static void* new_box() { return ::operator new(size, std::align_val_t{alignof(T)}); }
  static void delete_box(void* box) noexcept { ::operator delete(box, std::align_val_t{alignof(T)}); }
  static void drop_box(void* box) noexcept {
    static_cast<T*>(box)->~T();
    delete_box(box);
  }
  static void unbox(void* box, void* to) noexcept {
    move(to, box);
    drop_box(box);
  }
  static constexpr element_ops ops{size, alignof(T), trivial, move, new_box, delete_box, unbox, drop_box};
};

template <>
struct element<void> {
  static constexpr element_ops ops{0, 1, true, nullptr, nullptr, nullptr, nullptr, nullptr};
};

struct chan_queue {
  std::atomic<chan_waiter*> first{nullptr};  // written under the lock, looked at by anyone
  chan_waiter* last = nullptr;
};

// Who waits for the lock looks at its cache line again and again; what the holder works on lies a whole line further,
// so that he is not disturbed. No alignment: it would double what making a channel costs.
struct chan_core {
  std::atomic<std::uint32_t> lock{0};  // an rt::spinlock
  std::atomic<bool> closed{false};     // written under the lock
  // Constant.
  bool is_timer = false;  // len() and cap() say 0
  std::size_t capacity = 0;
  const element_ops* ops = nullptr;
  std::byte* ring = nullptr;
  std::size_t stride = 0;                                  // bytes from one ring element to the next
  void (*on_last_release)(chan_core*) noexcept = nullptr;  // null: chan_free
  void* owner = nullptr;                                   // for on_last_release

  std::size_t to_next_line = 0;
  std::atomic<std::size_t> count{0};  // values in the ring; written under the lock
  // Guarded by the lock.
  std::size_t head = 0;
  std::size_t tail = 0;
  chan_queue receivers;
  chan_queue senders;
  std::atomic<std::size_t> refs{1};

  // Whether a receive would neither take a value nor find the channel closed, at some moment during the call: a closed
  // channel stays closed, so not seeing it closed after not seeing a value means it was open and empty then.
  bool nothing_to_receive() const noexcept {
    if (count.load(std::memory_order_acquire) != 0) return false;  // stays 0 without a buffer
    if (capacity == 0 && senders.first.load(std::memory_order_acquire) != nullptr) return false;
    return !closed.load(std::memory_order_acquire);
  }
  // The same for a send: neither room (or a receiver) nor closed.
  bool nowhere_to_send() const noexcept {
    if (closed.load(std::memory_order_acquire)) return false;
    if (count.load(std::memory_order_acquire) != capacity) return false;  // without a buffer both are 0
    return capacity != 0 || receivers.first.load(std::memory_order_acquire) == nullptr;
  }
};

// Throws std::invalid_argument ("makechan: size out of range") when it cannot be that large.
chan_core* chan_new(std::size_t capacity, const element_ops& ops);
void chan_free(chan_core* c) noexcept;

inline void chan_retain(chan_core* c) noexcept {
  if (c != nullptr) c->refs.fetch_add(1, std::memory_order_relaxed);
}
inline void chan_release(chan_core* c) noexcept {
  // acq_rel: the one who frees sees every use by the others.
  if (c == nullptr || c->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  (c->on_last_release != nullptr ? c->on_last_release : chan_free)(c);
}

// All take c null as the nil channel. `value` is moved from, `slot` constructed.
void chan_send(chan_core* c, void* value);
bool chan_recv(chan_core* c, void* slot);
bool chan_try_send(chan_core* c, void* value);
chan_status chan_try_recv(chan_core* c, void* slot);
void chan_close(chan_core* c);
// Until ctx ends: then its error, and nothing was moved. In `received` whether a value was.
std::error_code chan_send(chan_core* c, const context& ctx, void* value);
std::error_code chan_recv(chan_core* c, const context& ctx, void* slot, bool& received);

// One case of a select.
struct select_op {
  chan_core* channel = nullptr;
  void* value = nullptr;  // send: the T to move from; receive: room for a T
  bool is_send = false;
  bool received = false;  // receive: a value was constructed, as opposed to closed
};

// Index of the case that ran, `count` when none was ready and there is a default. Parks otherwise.
std::size_t select_run(select_op* ops, std::size_t count, bool has_default);

}  // namespace detail
}  // namespace pirn
