// select over several channels. Layer: sync. One case: sync/chan_wait.h.
//
// First each channel is tried under its own lock alone, in random order: the first that is ready is as likely as any
// other ready one. Only when none was, all locks are taken (in address order, so that two selects cannot wait for each
// other), everything is looked at once more, now as one moment, and the goroutine is queued on all of them. A claim
// decides which channel serves it; it takes itself off the others when it wakes.
#include "pirn/select.h"

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "os/clock.h"
#include "sync/chan_wait.h"

namespace pirn::detail {

using namespace pirn::rt;  // NOLINT: this file implements detail over rt

namespace {

// One per case, beside the caller's op. Not initialised as a whole: the node is made only when the select parks.
struct case_state {
  alignas(chan_waiter) std::byte node_bytes[sizeof(chan_waiter)];
  void* box;
  std::uint32_t order;    // the n-th to be looked at
  std::uint32_t by_lock;  // the n-th in address order

  chan_waiter& node() noexcept { return *std::launder(reinterpret_cast<chan_waiter*>(node_bytes)); }
};

struct select_state {
  select_op* ops = nullptr;
  case_state* cases = nullptr;
  std::uint32_t count = 0;
  select_claim claim;
};

std::uint32_t random_number(worker* w) noexcept {
  if (w != nullptr) return w->next_random();
  thread_local std::uint64_t state = static_cast<std::uint64_t>(now_ns()) | 1;
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return static_cast<std::uint32_t>((state * 0x2545F4914F6CDD1DULL) >> 32);
}

bool same_lock_as_before(const select_state& s, std::uint32_t i) noexcept {
  return i > 0 && s.ops[s.cases[i].by_lock].channel == s.ops[s.cases[i - 1].by_lock].channel;
}

PIRN_ALWAYS_INLINE void lock_all(const select_state& s) noexcept {
  for (std::uint32_t i = 0; i < s.count; ++i) {
    chan_core* c = s.ops[s.cases[i].by_lock].channel;
    if (c != nullptr && !same_lock_as_before(s, i)) lock_of(*c).lock();
  }
}

// Once the last lock is given back the goroutine may go on, and `s` is gone: nothing is read after that. Nil channels,
// lowest by address, come last and need nothing.
PIRN_ALWAYS_INLINE void unlock_all(const select_state& s) noexcept {
  for (std::uint32_t i = s.count; i-- > 0;) {
    chan_core* c = s.ops[s.cases[i].by_lock].channel;
    if (c == nullptr) return;
    if (same_lock_as_before(s, i)) continue;
    const bool last = i == 0 || s.ops[s.cases[i - 1].by_lock].channel == nullptr;
    lock_of(*c).unlock();
    if (last) return;
  }
}

void unlock_all_work(void* s) noexcept { unlock_all(*static_cast<select_state*>(s)); }

void unqueue_all(select_state& s) noexcept {
  for (std::uint32_t i = 0; i < s.count; ++i) {
    chan_core* c = s.ops[i].channel;
    if (c == nullptr) continue;
    chan_waiter& n = s.cases[i].node();
    if (n.queued) unqueue(n.sending ? c->senders : c->receivers, n);
  }
}

bool unlink_select(goroutine*, void* object) noexcept {
  auto& s = *static_cast<select_state*>(object);
  lock_all(s);
  unqueue_all(s);
  unlock_all(s);
  // Whoever claims it first has it: a foreign thread that delivers, or we.
  return s.claim.win();
}

constexpr park_kind k_select{"select", unlink_select};
constexpr park_kind k_select_none{"select (no cases)", nullptr};

outcome attempt(select_op& op, void* box, completion& done) noexcept {
  return op.is_send ? attempt_send(*op.channel, op.value, box, done) : attempt_recv(*op.channel, op.value, done);
}

// Of a send `box` is what it brought, gone when the ring has it now; of a receive, what open_box() is for.
void complete(select_op& op, void*& box, const completion& done) noexcept {
  if (op.is_send) {
    if (done.box_used) box = nullptr;
    complete_send(*op.channel, op.value, done);
  } else {
    op.received = true;
    box = done.box;
    complete_recv(*op.channel, op.value, done);
  }
}

// Without the channel's lock this only says whether it is worth one.
PIRN_ALWAYS_INLINE bool may_run(const select_op& op) noexcept {
  if (op.channel == nullptr) return false;
  return !(op.is_send ? op.channel->nowhere_to_send() : op.channel->nothing_to_receive());
}

// The result of looking at the cases in their random order.
struct finding {
  bool found = false;
  std::uint32_t index = 0;
  outcome what = outcome::would_wait;
  completion done;
};

// Fills `f` in place: returned by value it would be copied right behind narrow stores, which stalls.
PIRN_ALWAYS_INLINE void look(select_state& s, bool each_under_its_own_lock, finding& f) noexcept {
  for (std::uint32_t i = 0; i < s.count; ++i) {
    const std::uint32_t k = s.cases[i].order;
    select_op& op = s.ops[k];
    if (!may_run(op)) continue;
    if (each_under_its_own_lock) lock_of(*op.channel).lock();
    f.what = attempt(op, s.cases[k].box, f.done);
    if (each_under_its_own_lock) lock_of(*op.channel).unlock();
    if (f.what == outcome::would_wait) continue;
    f.found = true;
    f.index = k;
    return;
  }
}

// REQUIRES: inside, on worker w or, when it is null, as a foreign thread; all locks. Gives them back.
PIRN_ALWAYS_INLINE void park_on_all(select_state& s, worker* w) {
  waiter who(w != nullptr ? w->current : nullptr);
  for (std::uint32_t i = 0; i < s.count; ++i) {
    select_op& op = s.ops[i];
    if (op.channel == nullptr) continue;
    chan_waiter& n = *::new (static_cast<void*>(s.cases[i].node_bytes)) chan_waiter;
    n.channel = op.channel;
    n.value = op.value;
    n.box = s.cases[i].box;
    n.who = &who;
    n.claim = &s.claim;
    n.sending = op.is_send;
    enqueue(op.is_send ? op.channel->senders : op.channel->receivers, n);
  }
  if (who.g != nullptr) {
    park_on(w, k_select, &s, switch_work::call(unlock_all_work, &s));
  } else {
    who.count_thread();
    unlock_all(s);
    who.sleep_as_thread();
  }
  // Whoever served us took its node off; the others are taken off one by one, in no order.
  for (std::uint32_t i = 0; i < s.count; ++i) {
    chan_core* c = s.ops[i].channel;
    if (c == nullptr || &s.cases[i].node() == s.claim.winner) continue;
    chan_waiter& n = s.cases[i].node();
    const std::lock_guard hold(lock_of(*c));
    if (n.queued) unqueue(n.sending ? c->senders : c->receivers, n);
  }
}

// Ends the case that look() has found, once its lock is given back. In `closed` says that it was a send to a closed
// channel.
PIRN_ALWAYS_INLINE std::size_t finish_found(select_state& s, const finding& f, bool& closed) noexcept {
  select_op& op = s.ops[f.index];
  if (f.what == outcome::closed) {
    closed = op.is_send;
  } else {
    complete(op, s.cases[f.index].box, f.done);
  }
  return f.index;
}

// After the park: the case that somebody served.
std::size_t served_case(select_state& s, bool& closed) noexcept {
  chan_waiter* winner = s.claim.winner;
  std::uint32_t i = 0;
  while (s.ops[i].channel == nullptr || &s.cases[i].node() != winner) ++i;
  closed = s.ops[i].is_send && !winner->success;
  s.ops[i].received = winner->success && !s.ops[i].is_send;
  if (winner->success && s.ops[i].is_send && winner->box != nullptr) s.cases[i].box = nullptr;
  return i;
}

// Runs one case; `closed` as above.
std::size_t run_one(select_state& s, bool has_default, bool& closed) {
  const entry e;
  // A random order, by Fisher and Yates; for two cases one bit.
  worker* w = e.on();
  if (s.count == 2) {
    s.cases[0].order = random_number(w) & 1;
    s.cases[1].order = 1 - s.cases[0].order;
  } else {
    for (std::uint32_t i = 0; i < s.count; ++i) {
      const std::uint32_t j = i == 0 ? 0 : random_number(w) % (i + 1);
      s.cases[i].order = s.cases[j].order;
      s.cases[j].order = i;
    }
  }

  finding f;
  look(s, true, f);
  if (!f.found && (!has_default || s.count > 1)) {
    for (std::uint32_t i = 0; i < s.count; ++i) s.cases[i].by_lock = i;
    const auto by_address = [&s](std::uint32_t a, std::uint32_t b) {
      return std::less<>()(s.ops[a].channel, s.ops[b].channel);
    };
    // Insertion sort: few cases, no allocation.
    for (std::uint32_t i = 1; i < s.count; ++i) {
      for (std::uint32_t k = i; k > 0 && by_address(s.cases[k].by_lock, s.cases[k - 1].by_lock); --k) {
        std::swap(s.cases[k].by_lock, s.cases[k - 1].by_lock);
      }
    }
    lock_all(s);
    look(s, false, f);
    if (f.found || has_default) {
      unlock_all(s);
    } else {
      park_on_all(s, w);
      return served_case(s, closed);
    }
  }
  return f.found ? finish_found(s, f, closed) : s.count;
}

[[noreturn]] void park_for_ever() {
  spinlock never;
  for (;;) {
    const entry e;
    never.lock();
    waiter w(e.current());
    suspend(w, k_select_none, nullptr, never);
  }
}

struct boxes_guard {
  select_state& s;
  ~boxes_guard() {
    for (std::uint32_t i = 0; i < s.count; ++i) {
      if (s.cases[i].box != nullptr) s.ops[i].channel->ops->delete_box(s.cases[i].box);
    }
  }
};

bool wants_box(const select_op& op) noexcept { return op.is_send && op.channel != nullptr && needs_box(*op.channel); }

std::size_t run_with(select_op* ops, case_state* cases, std::size_t count, bool has_default) {
  select_state s;
  s.ops = ops;
  s.cases = cases;
  s.count = static_cast<std::uint32_t>(count);
  for (std::size_t i = 0; i < count; ++i) cases[i].box = nullptr;
  const boxes_guard guard{s};
  for (std::size_t i = 0; i < count; ++i) {
    if (wants_box(ops[i])) {
      cases[i].box = ops[i].channel->ops->new_box();
    }
  }
  bool closed = false;
  const std::size_t chosen = run_one(s, has_default, closed);
  if (chosen < count && !ops[chosen].is_send) {
    open_box(*ops[chosen].channel, std::exchange(cases[chosen].box, nullptr), ops[chosen].value);
  }
  if (closed) throw closed_channel("send on closed channel");
  return chosen;
}

constexpr std::size_t k_not_run = 2;

// The end of run_two(), apart so that what does not park saves no registers. REQUIRES: inside on w; leaves.
PIRN_NOINLINE std::size_t wait_for_one_of_two(select_op* ops, std::size_t first, worker* w, bool& closed) {
  case_state cases[2];
  select_state s;
  s.ops = ops;
  s.cases = cases;
  s.count = 2;
  const std::uint32_t low = std::less<>()(ops[1].channel, ops[0].channel) ? 1 : 0;
  for (std::uint32_t i = 0; i < 2; ++i) {
    cases[i].box = nullptr;
    cases[i].order = i ^ static_cast<std::uint32_t>(first);
    cases[i].by_lock = i ^ low;
  }
  finding f;
  lock_all(s);
  look(s, false, f);
  if (PIRN_UNLIKELY(f.found)) {
    unlock_all(s);
    finish_found(s, f, closed);
    leave(w);
    open_box(*ops[f.index].channel, cases[f.index].box, ops[f.index].value);  // no send here has one
    return f.index;
  }
  park_on_all(s, w);
  leave(this_worker());
  return served_case(s, closed);
}

// The commonest select in one piece: two cases, no boxes, on a goroutine. k_not_run when it is not that, or when the
// default may have to run.
PIRN_ALWAYS_INLINE std::size_t run_two(select_op* ops, bool has_default, bool& closed) {
  if (PIRN_UNLIKELY(wants_box(ops[0]) || wants_box(ops[1]))) return k_not_run;
  worker* w = try_enter_fast();
  if (PIRN_UNLIKELY(w == nullptr)) return k_not_run;
  // The order matters only when both are ready: without a look at chance there is no branch that it makes
  // unpredictable.
  const bool ready[2] = {may_run(ops[0]), may_run(ops[1])};
  const std::size_t first = ready[0] && ready[1] ? w->next_random() & 1 : (ready[0] ? 0 : 1);
  for (std::size_t i = 0; i < 2; ++i) {
    if (!ready[i ^ first]) break;  // then the first was the only one
    select_op& op = ops[i ^ first];
    completion done;
    spinlock& lock = lock_of(*op.channel);
    lock.lock();
    const outcome what = attempt(op, nullptr, done);
    lock.unlock();
    if (PIRN_UNLIKELY(what == outcome::would_wait)) continue;
    void* box = nullptr;
    if (PIRN_LIKELY(what == outcome::done)) {
      complete(op, box, done);
    } else {
      closed = op.is_send;
    }
    leave(w);
    open_box(*op.channel, box, op.value);
    return i ^ first;
  }
  if (!has_default) return wait_for_one_of_two(ops, first, w, closed);
  leave(w);
  return k_not_run;
}

}  // namespace

std::size_t select_run(select_op* ops, std::size_t count, bool has_default) {
  if (count == 0) {
    if (has_default) return 0;
    park_for_ever();
  }
  if (count == 2) {
    bool closed = false;
    const std::size_t chosen = run_two(ops, has_default, closed);
    if (PIRN_UNLIKELY(closed)) throw closed_channel("send on closed channel");
    if (PIRN_LIKELY(chosen != k_not_run)) return chosen;
  }
  constexpr std::size_t k_on_stack = 8;
  if (count <= k_on_stack) {
    case_state cases[k_on_stack];
    return run_with(ops, cases, count, has_default);
  }
  const auto cases = std::make_unique<case_state[]>(count);
  return run_with(ops, cases.get(), count, has_default);
}

}  // namespace pirn::detail

namespace pirn {

int select(std::span<select_case> cases) {
  std::vector<detail::select_op> ops;
  std::vector<int> position;
  ops.reserve(cases.size());
  position.reserve(cases.size() + 1);
  int otherwise_at = -1;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (cases[i].is_otherwise()) {
      if (otherwise_at >= 0) throw std::invalid_argument("select: more than one otherwise");
      otherwise_at = static_cast<int>(i);
      continue;
    }
    ops.push_back(cases[i].self_->op());
    position.push_back(static_cast<int>(i));
  }
  position.push_back(otherwise_at);
  const std::size_t chosen = detail::select_run(ops.data(), ops.size(), otherwise_at >= 0);
  const int index = position[chosen];
  cases[static_cast<std::size_t>(index)].self_->finish(chosen < ops.size() ? ops[chosen] : detail::select_op{});
  return index;
}

}  // namespace pirn
