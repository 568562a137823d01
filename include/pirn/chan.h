// Channels: typed, first-in-first-out, buffered or not, between goroutines and threads.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "pirn/detail/chan_core.h"

namespace pirn {

// Misuse of a channel; the texts are Go's.
class channel_error : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};
// "send on closed channel", "close of closed channel".
class closed_channel : public channel_error {
 public:
  using channel_error::channel_error;
};
// "close of nil channel".
class nil_channel : public channel_error {
 public:
  using channel_error::channel_error;
};

// What try_recv found: a value exactly when status is ok.
template <class T>
struct recv_result {
  std::optional<T> value;
  chan_status status = chan_status::empty;
  explicit operator bool() const noexcept { return status == chan_status::ok; }
};
template <>
struct recv_result<void> {
  chan_status status = chan_status::empty;
  explicit operator bool() const noexcept { return status == chan_status::ok; }
};

namespace detail {

// Room for a T that the core constructs; destroyed when it was.
template <class T>
struct recv_slot {
  alignas(T) std::byte bytes[element<T>::size];
  T* get() noexcept { return std::launder(reinterpret_cast<T*>(bytes)); }
  T take() noexcept {
    struct destroyer {
      T* t;
      ~destroyer() { t->~T(); }
    } at_end{get()};
    return std::move(*get());
  }
};

template <class T>
class chan_base {
 public:
  using value_type = T;

  chan_base(const chan_base& other) noexcept : core_(other.core_) { chan_retain(core_); }
  chan_base(chan_base&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  chan_base& operator=(const chan_base& other) noexcept {
    chan_retain(other.core_);
    chan_release(std::exchange(core_, other.core_));
    return *this;
  }
  chan_base& operator=(chan_base&& other) noexcept {
    if (this != &other) chan_release(std::exchange(core_, std::exchange(other.core_, nullptr)));
    return *this;
  }
  ~chan_base() { chan_release(core_); }

  // Values in the buffer; 0 for a nil channel. A snapshot.
  std::size_t len() const noexcept {
    return core_ == nullptr || core_->is_timer ? 0 : core_->count.load(std::memory_order_relaxed);
  }
  std::size_t cap() const noexcept { return core_ == nullptr || core_->is_timer ? 0 : core_->capacity; }
  bool closed() const noexcept { return core_ != nullptr && core_->closed.load(std::memory_order_acquire); }
  // Whether this is a channel at all, not the nil one.
  explicit operator bool() const noexcept { return core_ != nullptr; }

  // The same channel, not the same contents.
  friend bool operator==(const chan_base& a, const chan_base& b) noexcept { return a.core_ == b.core_; }

  chan_core* core() const noexcept { return core_; }

 protected:
  explicit chan_base(chan_core* core) noexcept : core_(core) {}
  chan_core* core_;
};

template <class Chan, class T>
struct sender {
  // Blocks: parks while the buffer is full, or until a receiver comes. Errors: closed_channel, also when it is closed
  // while parked; the value is then destroyed. For ever on a nil channel.
  void send(T value) const { chan_send(static_cast<const Chan*>(this)->core(), &value); }
  // The same until ctx ends: then its error, and the value was not sent; one given as rvalue is untouched. An error at
  // once when it has ended already.
  [[nodiscard]] std::error_code send(const context& ctx, const T& value) const
    requires std::is_copy_constructible_v<T>
  {
    T copy(value);
    return chan_send(static_cast<const Chan*>(this)->core(), ctx, &copy);
  }
  [[nodiscard]] std::error_code send(const context& ctx, T&& value) const {
    return chan_send(static_cast<const Chan*>(this)->core(), ctx, &value);
  }
  // Blocks: never. False when it would have to wait; a value given as rvalue is then untouched. Errors: closed_channel.
  bool try_send(const T& value) const
    requires std::is_copy_constructible_v<T>
  {
    chan_core* c = static_cast<const Chan*>(this)->core();
    if (c == nullptr || c->nowhere_to_send()) return false;
    T copy(value);
    return chan_try_send(c, &copy);
  }
  bool try_send(T&& value) const { return chan_try_send(static_cast<const Chan*>(this)->core(), &value); }
};

template <class Chan>
struct sender<Chan, void> {
  void send() const { chan_send(static_cast<const Chan*>(this)->core(), nullptr); }
  [[nodiscard]] std::error_code send(const context& ctx) const {
    return chan_send(static_cast<const Chan*>(this)->core(), ctx, nullptr);
  }
  bool try_send() const { return chan_try_send(static_cast<const Chan*>(this)->core(), nullptr); }
};

template <class Chan>
struct closer {
  // Wakes every waiter: receivers drain what is buffered and then see the end, parked senders throw closed_channel.
  // Blocks: never. Errors: closed_channel when closed already, nil_channel.
  void close() const { chan_close(static_cast<const Chan*>(this)->core()); }
};

template <class Chan, class T>
struct receiver {
  // Blocks: parks while there is nothing. nullopt once closed and drained. For ever on a nil channel.
  std::optional<T> recv() const {
    std::optional<T> out;
    recv_slot<T> slot;
    if (chan_recv(static_cast<const Chan*>(this)->core(), slot.bytes)) out.emplace(slot.take());
    return out;
  }
  // The same until ctx ends: then its error, and `out` is untouched. An error at once when it has ended already. Else
  // `out` has the value, or nothing once closed and drained.
  [[nodiscard]] std::error_code recv(const context& ctx, std::optional<T>& out) const {
    recv_slot<T> slot;
    bool received = false;
    const std::error_code ended = chan_recv(static_cast<const Chan*>(this)->core(), ctx, slot.bytes, received);
    if (ended) return ended;
    out.reset();  // T need not be assignable
    if (received) out.emplace(slot.take());
    return {};
  }
  // Blocks: never.
  recv_result<T> try_recv() const {
    recv_result<T> out;
    chan_core* c = static_cast<const Chan*>(this)->core();
    if (c == nullptr || c->nothing_to_receive()) return out;
    recv_slot<T> slot;
    out.status = chan_try_recv(c, slot.bytes);
    if (out.status == chan_status::ok) out.value.emplace(slot.take());
    return out;
  }

  // Receives until the channel is closed and drained.
  class iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    iterator() = default;
    explicit iterator(const Chan* c) : c_(c) { ++*this; }
    T& operator*() noexcept { return *value_; }
    iterator& operator++() {
      std::optional<T> next = c_->recv();
      value_.reset();  // T need not be assignable
      if (next) {
        value_.emplace(std::move(*next));
      } else {
        c_ = nullptr;
      }
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.c_ == b.c_; }

   private:
    const Chan* c_ = nullptr;
    std::optional<T> value_;
  };
  iterator begin() const { return iterator(static_cast<const Chan*>(this)); }
  iterator end() const noexcept { return iterator(); }
};

template <class Chan>
struct receiver<Chan, void> {
  // False once closed and drained.
  bool recv() const { return chan_recv(static_cast<const Chan*>(this)->core(), nullptr); }
  // `received` as what recv() returns; untouched by an error.
  [[nodiscard]] std::error_code recv(const context& ctx, bool& received) const {
    bool got = false;
    const std::error_code ended = chan_recv(static_cast<const Chan*>(this)->core(), ctx, nullptr, got);
    if (!ended) received = got;
    return ended;
  }
  recv_result<void> try_recv() const { return {chan_try_recv(static_cast<const Chan*>(this)->core(), nullptr)}; }
};

}  // namespace detail

template <class T>
class chan;

// The sending half of a channel. Default-constructed it is the nil channel.
template <class T>
class send_chan : public detail::chan_base<T>,
                  public detail::sender<send_chan<T>, T>,
                  public detail::closer<send_chan<T>> {
 public:
  send_chan(std::nullptr_t = nullptr) noexcept : detail::chan_base<T>(nullptr) {}

 private:
  friend class chan<T>;
  explicit send_chan(const detail::chan_base<T>& c) noexcept : detail::chan_base<T>(c) {}
};

// The receiving half of a channel. Default-constructed it is the nil channel.
template <class T>
class recv_chan : public detail::chan_base<T>, public detail::receiver<recv_chan<T>, T> {
 public:
  recv_chan(std::nullptr_t = nullptr) noexcept : detail::chan_base<T>(nullptr) {}
  // Takes over a reference. For the library's own channels.
  explicit recv_chan(detail::chan_core* core) noexcept : detail::chan_base<T>(core) {}

 private:
  friend class chan<T>;
  explicit recv_chan(const detail::chan_base<T>& c) noexcept : detail::chan_base<T>(c) {}
};

// A handle to a channel of T (nothrow-movable, move-only too, or void). Copies share one channel; the last one frees
// it. Values are delivered in order, waiters served in order, no value is lost or delivered twice. Thread-safety: any
// number of goroutines and threads; a thread that is no goroutine blocks as a thread.
template <class T>
class chan : public detail::chan_base<T>,
             public detail::sender<chan<T>, T>,
             public detail::receiver<chan<T>, T>,
             public detail::closer<chan<T>> {
 public:
  // Unbuffered: a send waits for its receiver.
  chan() : detail::chan_base<T>(detail::chan_new(0, detail::element<T>::ops)) {}
  // With room for n values. Errors: std::invalid_argument ("makechan: size out of range") for a negative or absurd n.
  template <std::integral N>
  explicit chan(N n) : detail::chan_base<T>(detail::chan_new(checked(n), detail::element<T>::ops)) {}
  // The nil channel: sending and receiving block for ever, a select never picks it.
  chan(std::nullptr_t) noexcept : detail::chan_base<T>(nullptr) {}

  operator send_chan<T>() const noexcept { return send_chan<T>(static_cast<const detail::chan_base<T>&>(*this)); }
  operator recv_chan<T>() const noexcept { return recv_chan<T>(static_cast<const detail::chan_base<T>&>(*this)); }

 private:
  template <class N>
  static std::size_t checked(N n) {
    if constexpr (std::is_signed_v<N>) {
      if (n < 0) throw std::invalid_argument("makechan: size out of range");
    }
    return static_cast<std::size_t>(n);
  }
};

}  // namespace pirn
