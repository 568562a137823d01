// context: telling what is under way on somebody's behalf that it is no longer wanted, and until when it is.
// Layer: sync.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "pirn/chan.h"
#include "pirn/clock.h"

namespace pirn {

// What context::err() says. As std::error_condition they are std::errc::operation_canceled and std::errc::timed_out;
// the messages are Go's.
enum class context_errc { canceled = 1, deadline_exceeded = 2 };

const std::error_category& context_category() noexcept;
inline std::error_code make_error_code(context_errc e) noexcept { return {static_cast<int>(e), context_category()}; }

}  // namespace pirn

template <>
struct std::is_error_code_enum<pirn::context_errc> : std::true_type {};

namespace pirn {

namespace detail {

struct cancel_head;
struct cancel_node;

// A context is a share of one of these. Its ancestors live as long as it does.
struct context_node {
  constexpr context_node(context_node* above, cancel_head* nearest) noexcept : parent(above), canceler(nearest) {}
  context_node(const context_node&) = delete;
  context_node& operator=(const context_node&) = delete;
  // Nobody has a share any more: ends and frees it. Outside the runtime; the share of `parent` is the caller's.
  virtual void dispose() noexcept = 0;
  // Adds what to_string() says of it to `text`.
  virtual void describe(std::string& text) const = 0;

  // Constant after construction.
  context_node* const parent;  // a share; null: a root, which is never freed and counts no shares
  cancel_head* canceler;       // the nearest that can be cancelled, itself included; null: there is none
  const void* key = nullptr;   // not null: a value_head

  std::atomic<std::uint32_t> shares{1};

 protected:
  ~context_node() = default;
};

// What of one that can be cancelled is looked at inline.
struct cancel_head : context_node {
  using context_node::context_node;
  std::atomic<std::uint32_t> error{0};  // a context_errc once it is cancelled

 protected:
  ~cancel_head() = default;
};

struct value_head : context_node {
  value_head(context_node* parent, const void* k, const std::type_info& t) noexcept
      : context_node(parent, parent->canceler), type(t) {
    key = k;
  }
  void describe(std::string& text) const final { text += ".WithValue"; }
  const std::type_info& type;
  const void* value = nullptr;

 protected:
  ~value_head() = default;
};

template <class T>
struct value_node final : value_head {
  template <class V>
  value_node(context_node* parent, const void* k, V&& v) : value_head(parent, k, typeid(T)), held(std::forward<V>(v)) {
    value = &held;
  }
  void dispose() noexcept override { delete this; }
  T held;
};

inline void context_retain(context_node* n) noexcept {
  if (n != nullptr && n->parent != nullptr) n->shares.fetch_add(1, std::memory_order_relaxed);
}
void context_free(context_node* n) noexcept;
inline void context_release(context_node* n) noexcept {
  // acq_rel: who frees sees every use by the others.
  if (n != nullptr && n->parent != nullptr && n->shares.fetch_sub(1, std::memory_order_acq_rel) == 1) context_free(n);
}

// Stands in the list of what is to be told when a context is cancelled; guarded by that context's lock.
struct context_child {
  enum class kind_t : std::uint8_t { context, callback, wait };
  explicit context_child(kind_t k) noexcept : kind(k) {}
  context_child* next = nullptr;
  context_child* prev = nullptr;
  const kind_t kind;
  bool linked = false;
};

// A function of after_func().
struct context_callback : context_child {
  context_callback() noexcept : context_child(kind_t::callback) {}
  context_callback(const context_callback&) = delete;
  context_callback& operator=(const context_callback&) = delete;
  virtual ~context_callback() = default;
  virtual void call() = 0;

  static constexpr std::uint32_t k_waiting = 0;
  static constexpr std::uint32_t k_started = 1;
  static constexpr std::uint32_t k_stopped = 2;
  std::atomic<std::uint32_t> state{k_waiting};
  std::atomic<std::uint32_t> shares{2};  // the handles' and, until it is stopped or has run, its own
  context_node* of = nullptr;            // a share while its own
};
template <class F>
struct context_callback_of final : context_callback {
  template <class G>
  explicit context_callback_of(std::in_place_t, G&& fn) : f(std::forward<G>(fn)) {}
  void call() override { std::invoke(f); }
  F f;
};
void register_callback(context_node* n, context_callback* c) noexcept;
bool stop_callback(context_callback* c) noexcept;
void release_callback(context_callback* c) noexcept;

std::error_code context_error(const cancel_head& c) noexcept;
const void* context_value(const context_node* n, const void* key, const std::type_info& type) noexcept;
[[noreturn]] void throw_nil_parent();
[[noreturn]] void throw_nil_key();

struct context_access;

}  // namespace detail

// Carries a deadline, a cancellation and values from callers to callees, goroutines among them. A cheap value: copies
// share one context. Contexts form a tree: what cancels one cancels all that were made from it.
// Pass it as the first parameter of whatever may take long, and call `cancel` when you are done: that also frees it.
// One that was moved from is nil: it may be assigned to or destroyed, and is refused as a parent.
// Thread-safety: any thread, in a run and outside; deadlines come only while a run is under way.
// Source: Go's context.
class context {
 public:
  context(const context& other) noexcept : node_(other.node_) { detail::context_retain(node_); }
  context(context&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  context& operator=(const context& other) noexcept {
    detail::context_retain(other.node_);
    detail::context_release(std::exchange(node_, other.node_));
    return *this;
  }
  context& operator=(context&& other) noexcept {
    if (this != &other) detail::context_release(std::exchange(node_, std::exchange(other.node_, nullptr)));
    return *this;
  }
  ~context() { detail::context_release(node_); }

  // Closed when the context is cancelled; the nil channel for one that never is. Always the same channel.
  recv_chan<void> done() const;
  // No error until done() is closed; then context_errc::canceled or ::deadline_exceeded. Blocks: never.
  std::error_code err() const noexcept {
    const detail::cancel_head* c = node_->canceler;
    if (c == nullptr || c->error.load(std::memory_order_acquire) == 0) return {};
    return detail::context_error(*c);
  }
  // Why: what was given to a cancel function that takes a cause, or to a `_cause` form, here or in the ancestor whose
  // cancellation came first; else err() as a std::system_error. Null while err() says nothing.
  std::exception_ptr cause() const;
  // When it will be cancelled by itself, at the latest.
  std::optional<time_point> deadline() const noexcept;
  // The value that with_value() has put beside this key, in the context or the nearest ancestor that has the key; null
  // when there is none, or it is not a T. It lives as long as the context.
  template <class T>
  const T* value(const void* key) const noexcept {
    return static_cast<const T*>(detail::context_value(node_, key, typeid(T)));
  }
  // For what understands std::stop_token: a stop is requested when the context is cancelled, and callbacks run in the
  // goroutine that cancels. Without a state where the context is never cancelled.
  std::stop_token stop_token() const;

  // The same context, not an equal one.
  friend bool operator==(const context& a, const context& b) noexcept { return a.node_ == b.node_; }

 private:
  friend struct detail::context_access;
  explicit context(detail::context_node* share) noexcept : node_(share) {}
  detail::context_node* node_;
};

// How it was made, as Go prints it: "context.Background.WithCancel".
std::string to_string(const context& ctx);

// Why something was cancelled: an exception or an error code (kept as a std::system_error). Null, or a code that is no
// error: no reason but the cancellation.
class cancel_cause {
 public:
  cancel_cause(std::nullptr_t = nullptr) noexcept {}
  cancel_cause(std::exception_ptr why) noexcept : why_(std::move(why)) {}
  cancel_cause(std::error_code why);
  template <class E>
    requires std::is_error_code_enum_v<E>
  cancel_cause(E why) : cancel_cause(make_error_code(why)) {}

 private:
  friend struct detail::context_access;
  std::exception_ptr why_;
};

namespace detail {

class cancel_handle {
 public:
  cancel_handle(const cancel_handle& other) noexcept : node_(other.node_) { context_retain(node_); }
  cancel_handle(cancel_handle&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  cancel_handle& operator=(const cancel_handle& other) noexcept {
    context_retain(other.node_);
    context_release(std::exchange(node_, other.node_));
    return *this;
  }
  cancel_handle& operator=(cancel_handle&& other) noexcept {
    if (this != &other) context_release(std::exchange(node_, std::exchange(other.node_, nullptr)));
    return *this;
  }
  ~cancel_handle() { context_release(node_); }

 protected:
  explicit cancel_handle(context_node* share) noexcept : node_(share) {}
  void cancel(std::exception_ptr why) const noexcept;

 private:
  context_node* node_;
};

}  // namespace detail

// Cancels its context, and all that were made from it, before it returns; the first call does. Copyable; dropping it
// cancels nothing. Blocks: never. Thread-safety: any thread.
class cancel_function : detail::cancel_handle {
 public:
  void operator()() const noexcept { cancel(nullptr); }

 private:
  friend struct detail::context_access;
  using cancel_handle::cancel_handle;
};
// The same with a reason, which cause() then gives.
class cancel_cause_function : detail::cancel_handle {
 public:
  void operator()(const cancel_cause& why = nullptr) const noexcept;

 private:
  friend struct detail::context_access;
  using cancel_handle::cancel_handle;
};

// For `auto [ctx, cancel] = ...`.
struct cancelable_context {
  context ctx;
  cancel_function cancel;
};
struct cause_cancelable_context {
  context ctx;
  cancel_cause_function cancel;
};

namespace detail {

struct context_access {
  static context make(context_node* share) noexcept { return context(share); }
  static context_node* node(const context& ctx) noexcept { return ctx.node_; }
  static void give_up(context& ctx) noexcept { ctx.node_ = nullptr; }
  // `first` has one share, which becomes two.
  template <class Result, class Cancel>
  static Result pair(context_node* first) noexcept {
    context_retain(first);
    return {context(first), Cancel(first)};
  }
  static const std::exception_ptr& why(const cancel_cause& c) noexcept { return c.why_; }
};

}  // namespace detail

// Never cancelled, without values or deadline: where contexts begin. todo() is the same for where it is not yet clear
// which one is to be used.
context background() noexcept;
context todo() noexcept;

// A context that is cancelled when `cancel` is called or its parent is, whichever comes first. One whose parent is
// cancelled already is so from the beginning, with the parent's cause.
// Errors of all that take a parent: std::invalid_argument for a nil one; std::bad_alloc.
cancelable_context with_cancel(const context& parent);
cause_cancelable_context with_cancel_cause(const context& parent);

namespace detail {
cancelable_context with_deadline_at(const context& parent, time_point deadline, const cancel_cause& why);
}

// The same, and cancelled by itself, with deadline_exceeded, once the clock has reached `deadline` or `d` has passed.
// At once when that is not in the future. Where the parent's deadline is earlier, that one remains. The forms with a
// cause give it when the deadline was what came first.
template <class Clock, class Duration>
cancelable_context with_deadline(const context& parent, const std::chrono::time_point<Clock, Duration>& deadline) {
  return detail::with_deadline_at(parent, detail::on_own_clock(deadline), nullptr);
}
template <class Clock, class Duration>
cancelable_context with_deadline_cause(const context& parent, const std::chrono::time_point<Clock, Duration>& deadline,
                                       const cancel_cause& why) {
  return detail::with_deadline_at(parent, detail::on_own_clock(deadline), why);
}
template <class Rep, class Period>
cancelable_context with_timeout(const context& parent, const std::chrono::duration<Rep, Period>& d) {
  return detail::with_deadline_at(parent, detail::deadline_after(detail::saturated(d)), nullptr);
}
template <class Rep, class Period>
cancelable_context with_timeout_cause(const context& parent, const std::chrono::duration<Rep, Period>& d,
                                      const cancel_cause& why) {
  return detail::with_deadline_at(parent, detail::deadline_after(detail::saturated(d)), why);
}

// Also cancelled when a stop is requested of the token, by the thread that does so and before that returns. The
// standard's tokens remember threads, not goroutines: a goroutine that calls request_stop() needs a
// runtime::os_thread_lock then.
cancelable_context with_stop_token(const context& parent, std::stop_token token);

// The parent's values without its deadline, and never cancelled.
context without_cancel(const context& parent);

// The parent with a value, found by the address `key`: that of a variable of your own, so that keys do not meet.
// Errors: std::invalid_argument for a null key; what copying the value throws.
template <class T>
context with_value(const context& parent, const void* key, T&& value) {
  if (key == nullptr) detail::throw_nil_key();
  if (detail::context_access::node(parent) == nullptr) detail::throw_nil_parent();
  context above(parent);
  auto* n = new detail::value_node<std::decay_t<T>>(detail::context_access::node(above), key, std::forward<T>(value));
  detail::context_access::give_up(above);  // the node has its share now
  return detail::context_access::make(n);
}

// What after_func() gives: keeps the function from being started. True when it did, so the first time at most; false
// when the function was started or stopped before. It does not wait for one that runs. Copyable; dropping it stops
// nothing. Blocks: never.
class stop_function {
 public:
  stop_function(const stop_function& other) noexcept : c_(other.c_) {
    if (c_ != nullptr) c_->shares.fetch_add(1, std::memory_order_relaxed);
  }
  stop_function(stop_function&& other) noexcept : c_(std::exchange(other.c_, nullptr)) {}
  stop_function& operator=(stop_function other) noexcept {
    std::swap(c_, other.c_);
    return *this;
  }
  ~stop_function() {
    if (c_ != nullptr) detail::release_callback(c_);
  }
  bool operator()() const noexcept { return c_ != nullptr && detail::stop_callback(c_); }

 private:
  template <class F>
    requires std::is_invocable_v<std::decay_t<F>&>
  friend stop_function after_func(const context& ctx, F&& f);
  explicit stop_function(detail::context_callback* c) noexcept : c_(c) {}
  detail::context_callback* c_;
};

// Calls f on a goroutine of its own once ctx is cancelled; at once when it is already. An exception that leaves f is a
// panic. The function is destroyed when it has run or was stopped and the last handle is gone; until then it keeps ctx
// alive. One that is due while no run is under way never runs.
// Blocks: never. Thread-safety: any thread. Errors: std::invalid_argument for a nil context; std::bad_alloc.
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&>
stop_function after_func(const context& ctx, F&& f) {
  if (detail::context_access::node(ctx) == nullptr) detail::throw_nil_parent();
  auto* c = new detail::context_callback_of<std::decay_t<F>>(std::in_place, std::forward<F>(f));
  detail::register_callback(detail::context_access::node(ctx), c);
  return stop_function(c);
}

}  // namespace pirn
