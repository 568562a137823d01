// select: waits for the first of several channel operations.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

#include "pirn/chan.h"

namespace pirn {

namespace detail {

struct ignore_value {};

template <class C>
concept channel_like = requires(const C& c) {
  typename C::value_type;
  { c.core() } -> std::same_as<chan_core*>;
};
template <class C>
concept can_receive = channel_like<C> && requires(const C& c) { c.recv(); };
template <class C>
concept can_send = channel_like<C> && requires(const C& c) { c.close(); };

// Where a received value goes: nowhere, a variable, a variable and a flag, or a function.
template <class T>
struct to_value {
  T* out;
  bool* ok;
  void operator()(T&& v) const {
    *out = std::move(v);
    if (ok != nullptr) *ok = true;
  }
  void closed() const {
    if constexpr (std::is_default_constructible_v<T>) *out = T();
    if (ok != nullptr) *ok = false;
  }
};
template <class T>
struct to_optional {
  std::optional<T>* out;
  bool* ok;
  void operator()(T&& v) const {
    *out = std::move(v);
    if (ok != nullptr) *ok = true;
  }
  void closed() const {
    out->reset();
    if (ok != nullptr) *ok = false;
  }
};
template <class T, class F>
struct to_function {
  F f;
  void operator()(T&& v) { std::invoke(f, std::optional<T>(std::move(v))); }
  void closed() { std::invoke(f, std::optional<T>()); }
};
template <class T>
struct to_nowhere {
  void operator()(T&&) const {}
  void closed() const {}
};

template <class T, class Sink>
class recv_case {
 public:
  recv_case(chan_core* c, Sink sink) : channel_(c), sink_(std::move(sink)) { chan_retain(c); }
  recv_case(recv_case&& o) noexcept : channel_(std::exchange(o.channel_, nullptr)), sink_(std::move(o.sink_)) {}
  ~recv_case() { chan_release(channel_); }
  static constexpr bool is_default = false;
  select_op op() noexcept { return {channel_, slot_.bytes, false, false}; }
  void finish(const select_op& op) {
    if (op.received) {
      sink_(slot_.take());
    } else {
      sink_.closed();
    }
  }

 private:
  chan_core* channel_;
  Sink sink_;
  recv_slot<T> slot_;
};

template <class F>
class recv_void_case {
 public:
  recv_void_case(chan_core* c, F f) : channel_(c), f_(std::move(f)) { chan_retain(c); }
  recv_void_case(recv_void_case&& o) noexcept : channel_(std::exchange(o.channel_, nullptr)), f_(std::move(o.f_)) {}
  ~recv_void_case() { chan_release(channel_); }
  static constexpr bool is_default = false;
  select_op op() noexcept { return {channel_, nullptr, false, false}; }
  void finish(const select_op& op) { f_(op.received); }

 private:
  chan_core* channel_;
  F f_;
};

// Value is T& (the caller's rvalue, moved from only if this case runs) or T (a copy of an lvalue).
template <class Value, class F>
class send_case {
 public:
  template <class V>
  send_case(chan_core* c, V&& v, F f) : channel_(c), value_(std::forward<V>(v)), f_(std::move(f)) {
    chan_retain(c);
  }
  send_case(send_case&& o) noexcept
      : channel_(std::exchange(o.channel_, nullptr)), value_(std::forward<Value>(o.value_)), f_(std::move(o.f_)) {}
  ~send_case() { chan_release(channel_); }
  static constexpr bool is_default = false;
  select_op op() noexcept { return {channel_, const_cast<void*>(static_cast<const void*>(&value_)), true, false}; }
  void finish(const select_op&) { f_(); }

 private:
  chan_core* channel_;
  Value value_;
  F f_;
};

template <class F>
class send_void_case {
 public:
  send_void_case(chan_core* c, F f) : channel_(c), f_(std::move(f)) { chan_retain(c); }
  send_void_case(send_void_case&& o) noexcept : channel_(std::exchange(o.channel_, nullptr)), f_(std::move(o.f_)) {}
  ~send_void_case() { chan_release(channel_); }
  static constexpr bool is_default = false;
  select_op op() noexcept { return {channel_, nullptr, true, false}; }
  void finish(const select_op&) { f_(); }

 private:
  chan_core* channel_;
  F f_;
};

struct do_nothing {
  void operator()() const noexcept {}
};
struct ignore_bool {
  bool* out = nullptr;
  void operator()(bool ok) const noexcept {
    if (out != nullptr) *out = ok;
  }
};

template <class F>
struct default_case {
  static constexpr bool is_default = true;
  F f;
  void finish() { f(); }
};

struct otherwise_t : default_case<do_nothing> {
  template <class F>
    requires std::is_invocable_v<std::decay_t<F>&>
  constexpr default_case<std::decay_t<F>> operator()(F&& f) const {
    return {std::forward<F>(f)};
  }
};

template <class C>
concept select_case_like = requires { std::bool_constant<std::decay_t<C>::is_default>(); };

}  // namespace detail

// A receive whose value is dropped.
template <detail::can_receive C>
auto recv(const C& c) {
  using T = typename C::value_type;
  if constexpr (std::is_void_v<T>) {
    return detail::recv_void_case<detail::ignore_bool>(c.core(), {});
  } else {
    return detail::recv_case<T, detail::to_nowhere<T>>(c.core(), {});
  }
}

// A receive into `out`, a T& (a value-initialised T once closed) or a std::optional<T>& (nullopt once closed).
template <detail::can_receive C>
  requires(!std::is_void_v<typename C::value_type>)
auto recv(const C& c, typename C::value_type& out) {
  using T = typename C::value_type;
  return detail::recv_case<T, detail::to_value<T>>(c.core(), {&out, nullptr});
}
template <detail::can_receive C>
  requires(!std::is_void_v<typename C::value_type>)
auto recv(const C& c, std::optional<typename C::value_type>& out) {
  using T = typename C::value_type;
  return detail::recv_case<T, detail::to_optional<T>>(c.core(), {&out, nullptr});
}

// `ok` is set to false once the channel is closed and drained.
template <detail::can_receive C>
  requires(!std::is_void_v<typename C::value_type>)
auto recv(const C& c, typename C::value_type& out, bool& ok) {
  using T = typename C::value_type;
  return detail::recv_case<T, detail::to_value<T>>(c.core(), {&out, &ok});
}
template <detail::can_receive C>
  requires(!std::is_void_v<typename C::value_type>)
auto recv(const C& c, std::optional<typename C::value_type>& out, bool& ok) {
  using T = typename C::value_type;
  return detail::recv_case<T, detail::to_optional<T>>(c.core(), {&out, &ok});
}

// A receive handed to `fn`: std::optional<T>, or bool for void.
template <detail::can_receive C, class F>
  requires(std::is_void_v<typename C::value_type> && std::is_invocable_v<std::decay_t<F>&, bool>)
auto recv(const C& c, F&& fn) {
  return detail::recv_void_case<std::decay_t<F>>(c.core(), std::forward<F>(fn));
}
template <detail::can_receive C, class F>
  requires(!std::is_void_v<typename C::value_type> &&
           !std::same_as<std::remove_cvref_t<F>, typename C::value_type> &&
           !std::same_as<std::remove_cvref_t<F>, std::optional<typename C::value_type>> &&
           std::is_invocable_v<std::decay_t<F>&, std::optional<typename C::value_type>>)
auto recv(const C& c, F&& fn) {
  using T = typename C::value_type;
  return detail::recv_case<T, detail::to_function<T, std::decay_t<F>>>(c.core(), {std::forward<F>(fn)});
}

// A send. An rvalue of the element type is moved from only if this case runs; an lvalue is copied now. `fn` runs after.
template <detail::can_send C, class V, class F = detail::do_nothing>
  requires(!std::is_void_v<typename C::value_type> && std::is_convertible_v<V &&, typename C::value_type> &&
           std::is_invocable_v<std::decay_t<F>&>)
auto send(const C& c, V&& v, F&& fn = {}) {
  using T = typename C::value_type;
  if constexpr (std::is_same_v<V&&, T&&>) {
    return detail::send_case<T&, std::decay_t<F>>(c.core(), v, std::forward<F>(fn));
  } else {
    return detail::send_case<T, std::decay_t<F>>(c.core(), std::forward<V>(v), std::forward<F>(fn));
  }
}
template <detail::can_send C, class F = detail::do_nothing>
  requires(std::is_void_v<typename C::value_type> && std::is_invocable_v<std::decay_t<F>&>)
auto send(const C& c, F&& fn = {}) {
  return detail::send_void_case<std::decay_t<F>>(c.core(), std::forward<F>(fn));
}

// The case that runs when no other is ready: `otherwise`, or `otherwise(fn)`. At most one.
inline constexpr detail::otherwise_t otherwise{};

// Runs exactly one of the cases and returns its index, from 0. Among several that are ready each is as likely. Without
// `otherwise` it parks until one is ready; with no case at all for ever. A nil channel's case is never ready.
// Errors: closed_channel when the case that runs is a send to a closed channel.
template <class... Cases>
  requires(detail::select_case_like<Cases> && ...)
int select(Cases&&... cases) {
  constexpr std::size_t k_all = sizeof...(Cases);
  constexpr std::size_t k_defaults = (std::size_t{0} + ... + std::size_t{std::decay_t<Cases>::is_default});
  static_assert(k_defaults <= 1, "a select has at most one otherwise");
  constexpr std::size_t k_ops = k_all - k_defaults;
  std::array<detail::select_op, k_ops == 0 ? 1 : k_ops> ops;
  std::array<int, k_all + 1> position{};  // of the op in the list of cases; the default's last
  std::size_t n = 0;
  int at = 0;
  (
      [&] {
        if constexpr (std::decay_t<Cases>::is_default) {
          position[k_ops] = at;
        } else {
          ops[n] = cases.op();
          position[n++] = at;
        }
        ++at;
      }(),
      ...);
  std::size_t chosen = k_ops;
  // The commonest polling form needs no lock when there is nothing.
  bool look = true;
  if constexpr (k_ops == 1 && k_defaults == 1) {
    const detail::chan_core* c = ops[0].channel;
    look = c != nullptr && !(ops[0].is_send ? c->nowhere_to_send() : c->nothing_to_receive());
  }
  if (look) chosen = detail::select_run(ops.data(), k_ops, k_defaults == 1);
  const int index = position[chosen];
  at = 0;
  (
      [&] {
        if (at++ != index) return;
        if constexpr (std::decay_t<Cases>::is_default) {
          auto chosen_case = cases;
          chosen_case.finish();
        } else {
          cases.finish(ops[chosen]);
        }
      }(),
      ...);
  return index;
}

// One case of a dynamic select; every builder above converts to it. Can be used for one select after another.
class select_case {
 public:
  template <class C>
    requires(detail::select_case_like<C> && !std::same_as<std::decay_t<C>, select_case>)
  select_case(C&& c) : self_(std::make_unique<model<std::decay_t<C>>>(std::forward<C>(c))) {}

  bool is_otherwise() const noexcept { return self_->is_default(); }

 private:
  friend int select(std::span<select_case> cases);
  struct concept_t {
    virtual ~concept_t() = default;
    virtual bool is_default() const noexcept = 0;
    virtual detail::select_op op() = 0;
    virtual void finish(const detail::select_op& op) = 0;
  };
  template <class C>
  struct model final : concept_t {
    explicit model(C&& c) : case_(std::move(c)) {}
    explicit model(const C& c) : case_(c) {}
    bool is_default() const noexcept override { return C::is_default; }
    detail::select_op op() override {
      if constexpr (C::is_default) {
        return {};
      } else {
        return case_.op();
      }
    }
    void finish(const detail::select_op& op) override {
      if constexpr (C::is_default) {
        case_.finish();
      } else {
        case_.finish(op);
      }
    }
    C case_;
  };
  std::unique_ptr<concept_t> self_;
};

// The dynamic form. Errors: std::invalid_argument for more than one otherwise.
int select(std::span<select_case> cases);

}  // namespace pirn
