// Contexts: making, cancelling and ending them. Layer: sync. Structure and lifetimes: sync/context_nodes.h; those who
// wait: sync/cancellation.h.
//
// Cancelling goes through the tree with a list of its own, one lock at a time, and one child per hold of it: a context
// may have a hundred thousand of them. What runs user code or frees (callbacks of stop tokens, the ends of contexts)
// and what wakes others comes after each lock. A deadline cancels on a goroutine that it starts, for the same reason.
#include "pirn/context.h"

#include <memory>
#include <mutex>
#include <vector>

#include "os/clock.h"
#include "os/fatal.h"
#include "pirn/detail/start.h"
#include "pirn/runtime.h"
#include "sched/entry.h"
#include "sync/cancellation.h"
#include "sync/chan_wait.h"
#include "sync/timers.h"

namespace pirn {

using namespace pirn::rt;  // NOLINT: this file implements the public functions over rt

namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "context"; }
  std::string message(int e) const override {
    switch (static_cast<context_errc>(e)) {
      case context_errc::canceled:
        return "context canceled";
      case context_errc::deadline_exceeded:
        return "context deadline exceeded";
    }
    return "unknown context error";
  }
  std::error_condition default_error_condition(int e) const noexcept override {
    switch (static_cast<context_errc>(e)) {
      case context_errc::canceled:
        return std::errc::operation_canceled;
      case context_errc::deadline_exceeded:
        return std::errc::timed_out;
    }
    return {e, *this};
  }
};

}  // namespace

const std::error_category& context_category() noexcept {
  static const category it;
  return it;
}

namespace detail {

namespace {

struct root_node final : context_node {
  explicit constexpr root_node(const char* text) noexcept : context_node(nullptr, nullptr), name(text) {}
  void dispose() noexcept override {}
  void describe(std::string& text) const override { text += name; }
  const char* const name;
};

constinit root_node background_root("context.Background");
constinit root_node todo_root("context.TODO");

struct plain_node final : cancel_node {
  using cancel_node::cancel_node;
  void dispose() noexcept override {
    end();
    delete this;
  }
  void describe(std::string& text) const override { text += ".WithCancel"; }
};

struct uncancelled_node final : context_node {
  explicit uncancelled_node(context_node* above) noexcept : context_node(above, nullptr) {}
  void dispose() noexcept override { delete this; }
  void describe(std::string& text) const override { text += ".WithoutCancel"; }
};

bool try_retain(context_node& n) noexcept {
  std::uint32_t seen = n.shares.load(std::memory_order_relaxed);
  while (seen != 0) {
    if (n.shares.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

// --- Cancelling ---

void run_callback(void* self) {
  auto* c = static_cast<context_callback*>(self);
  struct releaser {
    context_callback* c;
    ~releaser() {
      context_release(c->of);
      release_callback(c);
    }
  } at_end{c};
  c->call();
}

void drop_callback(void* self) noexcept {
  auto* c = static_cast<context_callback*>(self);
  context_release(c->of);
  release_callback(c);
}

// For a goroutine that another thread starts.
struct callback_call {
  context_callback* c;
  explicit callback_call(context_callback* callback) noexcept : c(callback) {}
  callback_call(callback_call&& o) noexcept : c(std::exchange(o.c, nullptr)) {}
  ~callback_call() {
    if (c != nullptr) drop_callback(c);
  }
  void operator()() { run_callback(std::exchange(c, nullptr)); }
};

// Its own share becomes that of the call.
void start_callback(context_callback* c) noexcept {
  if (this_worker() != nullptr) {
    const entry e;
    if (!start_plain(e.on(), run_callback, drop_callback, c)) fatal("out of memory (goroutine for after_func)");
    return;
  }
  callback_call call(c);
  try {
    new_goroutine g;
    closure_ops<callback_call>::put(g.slot(), std::move(call));
    g.start();
  } catch (const std::logic_error&) {  // NOLINT(bugprone-empty-catch): no run is under way
  } catch (...) {
    fatal("out of memory (goroutine for after_func)");
  }
}

void take_out(cancel_node& from, context_child& c) noexcept {
  const entry e;
  const std::lock_guard hold(from.mu);
  if (c.linked) from.remove(c);
}

}  // namespace

// Cancels one context after the other. Outside the runtime but for its holds of their locks.
class canceling {
 public:
  canceling(std::uint32_t error, std::exception_ptr cause) noexcept : error_(error), cause_(std::move(cause)) {}

  // REQUIRES: n cannot end before user code runs, which may drop the last share of it.
  void run(cancel_node& n) noexcept {
    std::stop_source stop(std::nostopstate);
    if (!cancel_one(n, stop)) return;
    if (n.canceled_by != nullptr) take_out(*n.canceled_by, n);
    while (cancel_node* child = todo_) {
      todo_ = child->next_to_cancel;
      std::stop_source childs(std::nostopstate);
      if (cancel_one(*child, childs)) request_stop(childs);
      context_release(child);
    }
    request_stop(stop);
  }

 private:
  // False when it was cancelled before. In `stop` what is to be asked to stop.
  bool cancel_one(cancel_node& n, std::stop_source& stop) noexcept {
    context_child* callbacks = nullptr;
    {
      const entry e;
      n.mu.lock();
      if (n.error.load(std::memory_order_relaxed) != 0) {
        n.mu.unlock();
        return false;
      }
      n.cause = cause_;
      chan_core* done = n.done.load(std::memory_order_relaxed);
      if (n.stop != nullptr) stop = *n.stop;
      n.error.store(error_, std::memory_order_release);
      n.mu.unlock();
      // Before anybody below is told: who is may look above.
      if (done != nullptr) chan_close_once(done);
      n.mu.lock();
      tell_children(n, callbacks);
      n.mu.unlock();
    }
    n.stop_timer();
    while (callbacks != nullptr) {
      auto* c = static_cast<context_callback*>(callbacks);
      callbacks = c->next;
      start_callback(c);
    }
    return true;
  }

  // REQUIRES: the lock of n, which it gives back and takes again.
  void tell_children(cancel_node& n, context_child*& callbacks) noexcept {
    while (context_child* c = n.first) {
      n.remove(*c);
      waiter* woken = nullptr;
      switch (c->kind) {
        case context_child::kind_t::context: {
          auto* child = static_cast<cancel_node*>(c);
          if (!try_retain(*child)) break;  // it ends
          child->next_to_cancel = todo_;
          todo_ = child;
          break;
        }
        case context_child::kind_t::callback: {
          auto* callback = static_cast<context_callback*>(c);
          std::uint32_t waiting = context_callback::k_waiting;
          if (!callback->state.compare_exchange_strong(waiting, context_callback::k_started,
                                                       std::memory_order_acq_rel)) {
            break;  // somebody stops it
          }
          callback->next = callbacks;
          callbacks = callback;
          break;
        }
        case context_child::kind_t::wait: {
          auto* wait = static_cast<cancellation*>(c);
          wait->asked_.store(true, std::memory_order_relaxed);  // [CW-2]
          if (wait->withdraw_(wait->who_.g, wait->object_)) {
            wait->withdrawn_ = true;
            woken = &wait->who_;
          }
          break;
        }
      }
      n.mu.unlock();
      if (woken != nullptr) resume(*woken);
      n.mu.lock();
    }
  }

  // The library remembers which thread does it, so the goroutine stays on it.
  static void request_stop(std::stop_source& stop) noexcept {
    if (!stop.stop_possible()) return;
    const runtime::os_thread_lock stay;
    stop.request_stop();
  }

  const std::uint32_t error_;
  const std::exception_ptr cause_;
  cancel_node* todo_ = nullptr;  // with a share each
};

namespace {

void cancel(cancel_node& n, context_errc error, std::exception_ptr cause) noexcept {
  if (n.error.load(std::memory_order_acquire) != 0) return;
  canceling(static_cast<std::uint32_t>(error), std::move(cause)).run(n);
}

// A new context takes its place in the tree, or is cancelled at birth.
void attach(cancel_node& n) noexcept {
  cancel_node* above = n.canceled_by;
  if (above == nullptr) return;
  {
    const entry e;
    const std::lock_guard hold(above->mu);
    if (above->error.load(std::memory_order_relaxed) == 0) {
      above->push(n);
      return;
    }
  }
  cancel(n, static_cast<context_errc>(above->error.load(std::memory_order_relaxed)), above->cause);
}

// --- Deadlines ---

struct deadline_node final : cancel_node {
  deadline_node(context_node* above, time_point when, std::exception_ptr why) noexcept
      : cancel_node(above), at(when), cause_if_first(std::move(why)) {
    timer.kind = &k_kind;
    timer.arg = this;
  }
  const time_point* deadline() const noexcept override { return &at; }
  void describe(std::string& text) const override {
    const std::chrono::duration<double> left = at - now();
    text += ".WithDeadline([" + std::to_string(left.count()) + "s])";
  }
  void stop_timer() noexcept override {
    if (timer.heap == nullptr) return;
    dead_timers dead;
    const entry e;
    timer.heap->lock().lock();
    timer.heap->stop_locked(timer);
    timer.heap->unlock(dead);
  }
  void start_timer() noexcept {
    dead_timers dead;
    const entry e;
    const std::int64_t when = at.time_since_epoch().count();
    timer.heap = &heap_here(e);
    // Not early by the error of the heap's clock.
    timer.heap->start(timer, when > k_forever - cycle_clock::k_error_ns ? when : when + cycle_clock::k_error_ns, 0,
                      dead);
    announce(e);
  }
  // The heap may still have an entry that points here.
  void dispose() noexcept override {
    end();
    cause_if_first = nullptr;
    if (timer.heap == nullptr || timer.removed) {
      delete this;
      return;
    }
    dead_timers dead;
    const entry e;
    timer.heap->abandon(timer, dead);
  }

  static void fire(timer_node& t, std::int64_t) noexcept {
    auto* n = static_cast<deadline_node*>(t.arg);
    if (!try_retain(*n)) return;
    if (!start_plain(this_worker(), run_expiry, drop_expiry, n)) fatal("out of memory (goroutine for a deadline)");
  }
  static void run_expiry(void* self) {
    auto* n = static_cast<deadline_node*>(self);
    cancel(*n, context_errc::deadline_exceeded, n->cause_if_first);
    context_release(n);
  }
  static void drop_expiry(void* self) noexcept { context_release(static_cast<deadline_node*>(self)); }
  static void destroy(timer_node& t) noexcept { delete static_cast<deadline_node*>(t.arg); }
  static constexpr timer_kind k_kind{timer_action::deferred, fire, destroy, nullptr};

  const time_point at;
  std::exception_ptr cause_if_first;
  timer_node timer;
};

const time_point* deadline_of(const context_node& n) noexcept {
  // A nearer one is never later than a farther one.
  for (const cancel_node* c = cancel_node::canceler_of(n); c != nullptr; c = c->canceled_by) {
    if (const time_point* at = c->deadline()) return at;
  }
  return nullptr;
}

// --- Stop tokens ---

struct token_node final : cancel_node {
  using cancel_node::cancel_node;
  struct canceller {
    token_node* n;
    // Who ends the node destroys the callback first, and that waits for one that runs on another thread. The share may
    // be the last: then this goes while it runs, as it may.
    void operator()() const noexcept {
      token_node* node = n;
      if (!try_retain(*node)) return;
      cancel(*node, context_errc::canceled, nullptr);
      context_release(node);
    }
  };
  void dispose() noexcept override {
    callback.reset();
    end();
    delete this;
  }
  void describe(std::string& text) const override { text += ".WithStopToken"; }
  std::optional<std::stop_callback<canceller>> callback;
};

// A node with a share of its parent's node.
template <class Node, class... Args>
Node* make_node(const context& parent, Args&&... args) {
  if (context_access::node(parent) == nullptr) throw_nil_parent();
  context above(parent);
  auto* n = new Node(context_access::node(above), std::forward<Args>(args)...);
  context_access::give_up(above);
  return n;
}

template <class Result, class Cancel, class Node>
Result begin(Node* n) noexcept {
  attach(*n);
  return context_access::pair<Result, Cancel>(n);
}

}  // namespace

void cancel_node::end() noexcept {
  if (canceled_by != nullptr) take_out(*canceled_by, *this);
  chan_release(done.load(std::memory_order_relaxed));
  delete stop;
  cause = nullptr;
}

void context_free(context_node* n) noexcept {
  // In a loop: a chain of contexts may be long.
  for (;;) {
    context_node* above = n->parent;
    n->dispose();
    if (above->parent == nullptr || above->shares.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    n = above;
  }
}

void throw_nil_parent() { throw std::invalid_argument("cannot create context from nil parent"); }
void throw_nil_key() { throw std::invalid_argument("nil key"); }

// Whoever is told of the error also finds the channel closed, so who comes between the two closes it himself.
std::error_code context_error(const cancel_head& c) noexcept {
  chan_core* done = static_cast<const cancel_node&>(c).done.load(std::memory_order_acquire);
  if (done != nullptr && !done->closed.load(std::memory_order_acquire)) chan_close_once(done);
  return static_cast<context_errc>(c.error.load(std::memory_order_relaxed));
}

const void* context_value(const context_node* n, const void* key, const std::type_info& type) noexcept {
  for (; n != nullptr; n = n->parent) {
    if (n->key != key || key == nullptr) continue;
    const auto& v = static_cast<const value_head&>(*n);
    return v.type == type ? v.value : nullptr;
  }
  return nullptr;
}

void register_callback(context_node* n, context_callback* c) noexcept {
  cancel_node* by = cancel_node::canceler_of(*n);
  if (by == nullptr) {  // it never runs
    c->shares.store(1, std::memory_order_relaxed);
    return;
  }
  context_retain(n);
  c->of = n;
  {
    const entry e;
    const std::lock_guard hold(by->mu);
    if (by->error.load(std::memory_order_relaxed) == 0) {
      by->push(*c);
      return;
    }
  }
  c->state.store(context_callback::k_started, std::memory_order_relaxed);
  start_callback(c);
}

// Who changes the state has the callback's own share, and with it that of the context.
bool stop_callback(context_callback* c) noexcept {
  std::uint32_t waiting = context_callback::k_waiting;
  if (!c->state.compare_exchange_strong(waiting, context_callback::k_stopped, std::memory_order_acq_rel)) return false;
  if (c->of == nullptr) return true;
  take_out(*cancel_node::canceler_of(*c->of), *c);
  drop_callback(c);
  return true;
}

void release_callback(context_callback* c) noexcept {
  if (c->shares.fetch_sub(1, std::memory_order_acq_rel) == 1) delete c;
}

void cancel_handle::cancel(std::exception_ptr why) const noexcept {
  if (node_ == nullptr) return;
  detail::cancel(static_cast<cancel_node&>(*node_), context_errc::canceled, std::move(why));
}

cancelable_context with_deadline_at(const context& parent, time_point deadline, const cancel_cause& why) {
  if (context_access::node(parent) == nullptr) throw_nil_parent();
  const time_point* earlier = deadline_of(*context_access::node(parent));
  if (earlier != nullptr && *earlier < deadline) return with_cancel(parent);
  auto* n = make_node<deadline_node>(parent, deadline, context_access::why(why));
  const bool passed = deadline <= now();
  if (!passed) n->start_timer();  // before others can find it
  attach(*n);
  if (passed) cancel(*n, context_errc::deadline_exceeded, n->cause_if_first);
  return context_access::pair<cancelable_context, cancel_function>(n);
}

}  // namespace detail

recv_chan<void> context::done() const {
  detail::cancel_node* c = detail::cancel_node::canceler_of(*node_);
  if (c == nullptr) return nullptr;
  detail::chan_core* there = c->done.load(std::memory_order_acquire);
  if (there == nullptr) {
    detail::chan_core* fresh = detail::chan_new(0, detail::element<void>::ops);
    bool closed = false;
    {
      const entry e;
      const std::lock_guard hold(c->mu);
      there = c->done.load(std::memory_order_relaxed);
      if (there == nullptr) {
        there = std::exchange(fresh, nullptr);
        c->done.store(there, std::memory_order_release);
        closed = c->error.load(std::memory_order_relaxed) != 0;
      }
    }
    if (fresh != nullptr) detail::chan_free(fresh);  // another was faster
    if (closed) detail::chan_close_once(there);
  }
  detail::chan_retain(there);
  return recv_chan<void>(there);
}

std::exception_ptr context::cause() const {
  const std::error_code error = err();
  if (!error) return nullptr;
  const std::exception_ptr& why = detail::cancel_node::canceler_of(*node_)->cause;
  return why != nullptr ? why : std::make_exception_ptr(std::system_error(error));
}

std::optional<time_point> context::deadline() const noexcept {
  const time_point* at = detail::deadline_of(*node_);
  return at == nullptr ? std::nullopt : std::optional(*at);
}

std::stop_token context::stop_token() const {
  detail::cancel_node* c = detail::cancel_node::canceler_of(*node_);
  if (c == nullptr) return {};
  auto fresh = std::make_unique<std::stop_source>();
  bool canceled = false;
  std::stop_source* source = nullptr;
  {
    const entry e;
    const std::lock_guard hold(c->mu);
    if (c->stop == nullptr) {
      c->stop = fresh.release();
      canceled = c->error.load(std::memory_order_relaxed) != 0;
    }
    source = c->stop;
  }
  if (canceled) source->request_stop();  // before anybody has its token
  return source->get_token();
}

std::string to_string(const context& ctx) {
  std::vector<const detail::context_node*> path;
  for (const detail::context_node* n = detail::context_access::node(ctx); n != nullptr; n = n->parent) {
    path.push_back(n);
  }
  std::string text;
  for (std::size_t i = path.size(); i-- > 0;) path[i]->describe(text);
  return text;
}

cancel_cause::cancel_cause(std::error_code why) {
  if (why) why_ = std::make_exception_ptr(std::system_error(why));
}

void cancel_cause_function::operator()(const cancel_cause& why) const noexcept {
  cancel(detail::context_access::why(why));
}

context background() noexcept { return detail::context_access::make(&detail::background_root); }
context todo() noexcept { return detail::context_access::make(&detail::todo_root); }

cancelable_context with_cancel(const context& parent) {
  return detail::begin<cancelable_context, cancel_function>(detail::make_node<detail::plain_node>(parent));
}

cause_cancelable_context with_cancel_cause(const context& parent) {
  return detail::begin<cause_cancelable_context, cancel_cause_function>(detail::make_node<detail::plain_node>(parent));
}

cancelable_context with_stop_token(const context& parent, std::stop_token token) {
  auto* n = detail::make_node<detail::token_node>(parent);
  detail::attach(*n);
  // Here the callback runs when a stop has been requested already. It throws nothing: neither does what it copies.
  n->callback.emplace(std::move(token), detail::token_node::canceller{n});
  return detail::context_access::pair<cancelable_context, cancel_function>(n);
}

context without_cancel(const context& parent) {
  return detail::context_access::make(detail::make_node<detail::uncancelled_node>(parent));
}

}  // namespace pirn
