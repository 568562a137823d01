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

template <class C>
concept channel_like = requires(const C& c) {
  typename C::value_type;
  { c.core() } -> std::same_as<chan_core*>;
};
template <class C>
concept can_receive = channel_like<C> && requires(const C& c) { c.recv(); };
template <class C>
concept can_send = channel_like<C> && requires(const C& c) { c.close(); };
template <class C>
using element_of = typename std::remove_cvref_t<C>::value_type;
template <class C>
concept receives_values = can_receive<std::remove_cvref_t<C>> && !std::is_void_v<element_of<C>>;

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

// The channel of a case. One given as an lvalue outlives the case; of a temporary the case keeps a share, and so does
// every case of a dynamic select.
class lent_channel {
 public:
  explicit lent_channel(chan_core* core) noexcept : core_(core) {}
  chan_core* core() const noexcept { return core_; }

 private:
  chan_core* core_;
};
class kept_channel {
 public:
  explicit kept_channel(chan_core* core) noexcept : core_(core) { chan_retain(core); }
  explicit kept_channel(const lent_channel& c) noexcept : kept_channel(c.core()) {}
  kept_channel(kept_channel&& o) noexcept : core_(std::exchange(o.core_, nullptr)) {}
  ~kept_channel() { chan_release(core_); }
  chan_core* core() const noexcept { return core_; }

 private:
  chan_core* core_;
};
template <class C>
using case_channel = std::conditional_t<std::is_lvalue_reference_v<C&&>, lent_channel, kept_channel>;

template <class Channel, class T, class Sink>
class recv_case {
 public:
  recv_case(Channel c, Sink sink) : channel_(std::move(c)), sink_(std::move(sink)) {}
  recv_case(recv_case&& o) noexcept : channel_(std::move(o.channel_)), sink_(std::move(o.sink_)) {}
  static constexpr bool is_default = false;
  static constexpr bool is_send = false;
  const chan_core* core() const noexcept { return channel_.core(); }
  select_op op() noexcept { return {channel_.core(), slot_.bytes, is_send, false}; }
  void finish(const select_op& op) {
    if (op.received) {
      sink_(slot_.take());
    } else {
      sink_.closed();
    }
  }
  auto owning() && { return recv_case<kept_channel, T, Sink>(kept_channel(std::move(channel_)), std::move(sink_)); }

 private:
  Channel channel_;
  Sink sink_;
  recv_slot<T> slot_;
};

template <class Channel, class F>
class recv_void_case {
 public:
  recv_void_case(Channel c, F f) : channel_(std::move(c)), f_(std::move(f)) {}
  static constexpr bool is_default = false;
  static constexpr bool is_send = false;
  const chan_core* core() const noexcept { return channel_.core(); }
  select_op op() noexcept { return {channel_.core(), nullptr, is_send, false}; }
  void finish(const select_op& op) { std::invoke(f_, op.received); }
  auto owning() && { return recv_void_case<kept_channel, F>(kept_channel(std::move(channel_)), std::move(f_)); }

 private:
  Channel channel_;
  F f_;
};

// Value is T& (the caller's rvalue, moved from only if this case runs) or T (a copy of an lvalue).
template <class Channel, class Value, class F>
class send_case {
 public:
  template <class V>
  send_case(Channel c, V&& v, F f) : channel_(std::move(c)), value_(std::forward<V>(v)), f_(std::move(f)) {}
  static constexpr bool is_default = false;
  static constexpr bool is_send = true;
  const chan_core* core() const noexcept { return channel_.core(); }
  select_op op() noexcept {
    return {channel_.core(), const_cast<void*>(static_cast<const void*>(&value_)), is_send, false};
  }
  void finish(const select_op&) { std::invoke(f_); }
  // A case that is stored cannot refer to what may be a temporary: it takes the value over.
  auto owning() && {
    return send_case<kept_channel, std::remove_reference_t<Value>, F>(kept_channel(std::move(channel_)),
                                                                      std::move(value_), std::move(f_));
  }

 private:
  Channel channel_;
  Value value_;
  F f_;
};

template <class Channel, class F>
class send_void_case {
 public:
  send_void_case(Channel c, F f) : channel_(std::move(c)), f_(std::move(f)) {}
  static constexpr bool is_default = false;
  static constexpr bool is_send = true;
  const chan_core* core() const noexcept { return channel_.core(); }
  select_op op() noexcept { return {channel_.core(), nullptr, is_send, false}; }
  void finish(const select_op&) { std::invoke(f_); }
  auto owning() && { return send_void_case<kept_channel, F>(kept_channel(std::move(channel_)), std::move(f_)); }

 private:
  Channel channel_;
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
  void finish() { std::invoke(f); }
  default_case&& owning() && noexcept { return std::move(*this); }
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

// Whether a case may be ready; without the channel's lock it is no more than that. False for a default.
template <class C>
bool worth_a_lock(C& one) noexcept {
  if constexpr (std::decay_t<C>::is_default) {
    return false;
  } else {
    const chan_core* c = one.core();
    return c != nullptr && !(std::decay_t<C>::is_send ? c->nowhere_to_send() : c->nothing_to_receive());
  }
}

// Does what a default is to do, on a copy: `otherwise` is a constant, and a default may be used again. Nothing for
// other cases.
template <class C>
void finish_default(C&& one) {
  if constexpr (std::decay_t<C>::is_default) {
    auto chosen = std::forward<C>(one);
    chosen.finish();
  }
}

// Where the default stands among the cases.
template <class... Cases>
consteval int default_position() {
  int at = 0;
  (void)(... || (std::decay_t<Cases>::is_default || (++at, false)));
  return at;
}

}  // namespace detail

// A receive whose value is dropped.
template <class C>
  requires detail::can_receive<std::remove_cvref_t<C>>
auto recv(C&& c) {
  using T = detail::element_of<C>;
  if constexpr (std::is_void_v<T>) {
    return detail::recv_void_case<detail::case_channel<C>, detail::ignore_bool>(detail::case_channel<C>(c.core()), {});
  } else {
    return detail::recv_case<detail::case_channel<C>, T, detail::to_nowhere<T>>(detail::case_channel<C>(c.core()), {});
  }
}

// A receive into `out`, a T& (a value-initialised T once closed) or a std::optional<T>& (nullopt once closed). With a
// third argument, that is set to false once the channel is closed and drained, else to true.
template <class C>
  requires detail::receives_values<C>
auto recv(C&& c, detail::element_of<C>& out) {
  using T = detail::element_of<C>;
  return detail::recv_case<detail::case_channel<C>, T, detail::to_value<T>>(detail::case_channel<C>(c.core()),
                                                                            {&out, nullptr});
}
template <class C>
  requires detail::receives_values<C>
auto recv(C&& c, std::optional<detail::element_of<C>>& out) {
  using T = detail::element_of<C>;
  return detail::recv_case<detail::case_channel<C>, T, detail::to_optional<T>>(detail::case_channel<C>(c.core()),
                                                                               {&out, nullptr});
}
template <class C>
  requires detail::receives_values<C>
auto recv(C&& c, detail::element_of<C>& out, bool& ok) {
  using T = detail::element_of<C>;
  return detail::recv_case<detail::case_channel<C>, T, detail::to_value<T>>(detail::case_channel<C>(c.core()),
                                                                            {&out, &ok});
}
template <class C>
  requires detail::receives_values<C>
auto recv(C&& c, std::optional<detail::element_of<C>>& out, bool& ok) {
  using T = detail::element_of<C>;
  return detail::recv_case<detail::case_channel<C>, T, detail::to_optional<T>>(detail::case_channel<C>(c.core()),
                                                                               {&out, &ok});
}

// A receive handed to `fn`: std::optional<T>, or bool for void.
template <class C, class F>
  requires(detail::can_receive<std::remove_cvref_t<C>> && std::is_void_v<detail::element_of<C>> &&
           std::is_invocable_v<std::decay_t<F>&, bool>)
auto recv(C&& c, F&& fn) {
  return detail::recv_void_case<detail::case_channel<C>, std::decay_t<F>>(detail::case_channel<C>(c.core()),
                                                                          std::forward<F>(fn));
}
template <class C, class F>
  requires(detail::receives_values<C> && !std::same_as<std::remove_cvref_t<F>, detail::element_of<C>> &&
           !std::same_as<std::remove_cvref_t<F>, std::optional<detail::element_of<C>>> &&
           std::is_invocable_v<std::decay_t<F>&, std::optional<detail::element_of<C>>>)
auto recv(C&& c, F&& fn) {
  using T = detail::element_of<C>;
  return detail::recv_case<detail::case_channel<C>, T, detail::to_function<T, std::decay_t<F>>>(
      detail::case_channel<C>(c.core()), {std::forward<F>(fn)});
}

// A send. An rvalue of the element type is moved from only if this case runs; an lvalue is copied now. `fn` runs after.
// A case that is stored as a select_case takes an rvalue over at once.
template <class C, class V, class F = detail::do_nothing>
  requires(detail::can_send<std::remove_cvref_t<C>> && !std::is_void_v<detail::element_of<C>> &&
           std::is_convertible_v<V &&, detail::element_of<C>> && std::is_invocable_v<std::decay_t<F>&>)
auto send(C&& c, V&& v, F&& fn = {}) {
  using T = detail::element_of<C>;
  // A copy of a trivial value cannot be told from it, and does not dangle.
  using value = std::conditional_t<std::is_same_v<V&&, T&&> && !std::is_trivially_copyable_v<T>, T&, T>;
  if constexpr (std::is_reference_v<value>) {
    return detail::send_case<detail::case_channel<C>, value, std::decay_t<F>>(detail::case_channel<C>(c.core()), v,
                                                                              std::forward<F>(fn));
  } else {
    return detail::send_case<detail::case_channel<C>, value, std::decay_t<F>>(detail::case_channel<C>(c.core()),
                                                                              std::forward<V>(v), std::forward<F>(fn));
  }
}
template <class C, class F = detail::do_nothing>
  requires(detail::can_send<std::remove_cvref_t<C>> && std::is_void_v<detail::element_of<C>> &&
           std::is_invocable_v<std::decay_t<F>&>)
auto send(C&& c, F&& fn = {}) {
  return detail::send_void_case<detail::case_channel<C>, std::decay_t<F>>(detail::case_channel<C>(c.core()),
                                                                          std::forward<F>(fn));
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
  if constexpr (k_ops == 1 && k_defaults == 1) {
    // The commonest polling form: when there is nothing it takes no lock and asks for nothing to be set up.
    if (!(detail::worth_a_lock(cases) || ...)) {
      (detail::finish_default(std::forward<Cases>(cases)), ...);
      return detail::default_position<Cases...>();
    }
  }
  std::array<detail::select_op, k_ops + 1> ops;
  std::array<int, k_ops + 1> position{};  // of the op in the list of cases; the default's last
  [[maybe_unused]] std::size_t n = 0;
  [[maybe_unused]] int at = 0;
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
  const std::size_t chosen = detail::select_run(ops.data(), k_ops, k_defaults == 1);
  const int index = position[chosen];
  at = 0;
  (
      [&] {
        if (at++ != index) return;
        if constexpr (std::decay_t<Cases>::is_default) {
          detail::finish_default(std::forward<Cases>(cases));
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
  select_case(C&& c) : self_(make(std::decay_t<C>(std::forward<C>(c)).owning())) {}

  bool is_otherwise() const noexcept { return self_->is_default(); }

 private:
  friend int select(std::span<select_case> cases);
  template <class C>
  static auto make(C c) {
    return std::make_unique<model<C>>(std::move(c));
  }
  struct concept_t {
    virtual ~concept_t() = default;
    virtual bool is_default() const noexcept = 0;
    virtual detail::select_op op() = 0;
    virtual void finish(const detail::select_op& op) = 0;
  };
  template <class C>
  struct model final : concept_t {
    explicit model(C&& c) : case_(std::move(c)) {}
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
