// The waiter's side of waits that a context ends. Layer: sync. Rules and reasons: sync/cancellation.h.
#include "sync/cancellation.h"

#include <mutex>

namespace pirn::detail {

using namespace pirn::rt;  // NOLINT: this file implements detail over rt

cancel_node* canceler_for_wait(const context& ctx) {
  cancel_node* by = cancel_node::canceler_of(*context_access::node(ctx));
  if (by == nullptr) return nullptr;
  if (const worker* w = this_worker(); w != nullptr && w->current != nullptr) need_extras(w->current);
  return by;
}

bool cancellation::link() noexcept {
  {
    const std::lock_guard hold(by_->mu);
    if (by_->error.load(std::memory_order_relaxed) != 0) return false;
    by_->push(*this);  // [CW-1]
  }
  begun_ = true;
  if (who_.g != nullptr) {
    left_at_end_of_run::leave = cancellation::leave;
    who_.g->extras->to_leave = this;
  }
  return true;
}

// A forced unwind comes by here too, outside.
void cancellation::end() noexcept {
  const entry e;
  begun_ = false;
  if (who_.g != nullptr) who_.g->extras->to_leave = nullptr;
  if (withdrawn_) return;
  const std::lock_guard hold(by_->mu);  // [CW-3]
  if (linked) by_->remove(*this);
}

void cancellation::leave(left_at_end_of_run& self) noexcept {
  auto& c = static_cast<cancellation&>(self);
  const std::lock_guard hold(c.by_->mu);
  if (c.linked) c.by_->remove(c);
}

void wait_until_canceled(cancel_node* by, const park_kind& kind) {
  wait_queue alone;
  const entry e;
  queued_waiter w(e.current());
  w.queue.store(&alone, std::memory_order_relaxed);
  cancellation c(by, w, withdraw_queued, &w);
  if (!c.begin()) return;
  lock_of(alone).lock();
  if (c.asked()) {
    lock_of(alone).unlock();
    return;
  }
  push_back(alone, w);
  suspend(w, kind, &w, lock_of(alone));
}

}  // namespace pirn::detail
