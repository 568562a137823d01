// The 4-ary heap of timers. Layer: timer. Essay: timer/timer_heap.h.
#include "timer/timer_heap.h"

#include <sys/mman.h>

#include "os/fatal.h"

namespace pirn::rt {

namespace {
constexpr std::size_t k_arity = 4;
constexpr std::size_t k_first_capacity = 4096;  // 64 KiB
constexpr std::size_t k_stale_slack = 64;       // below this many, sweeping is not worth it
}  // namespace

void timer_heap::grow() noexcept {
  const std::size_t bigger = capacity_ == 0 ? k_first_capacity : capacity_ * 2;
  void* p = capacity_ == 0
                ? mmap(nullptr, bigger * sizeof(entry), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                : mremap(heap_, capacity_ * sizeof(entry), bigger * sizeof(entry), MREMAP_MAYMOVE);
  if (p == MAP_FAILED) fatal("out of memory (timers)");
  heap_ = static_cast<entry*>(p);
  capacity_ = bigger;
}

void timer_heap::push(std::int64_t when, std::uintptr_t what) noexcept {
  if (size_ == capacity_) grow();
  std::size_t i = size_++;
  while (i > 0) {
    const std::size_t parent = (i - 1) / k_arity;
    if (heap_[parent].when <= when) break;
    heap_[i] = heap_[parent];
    i = parent;
  }
  heap_[i] = {when, what};
}

void timer_heap::push(std::int64_t when, timer_node& t) noexcept {
  push(when, reinterpret_cast<std::uintptr_t>(&t));
  ++t.entries;
  t.entry_when = when;
}

void timer_heap::sleep_locked(goroutine& g, std::int64_t when) noexcept {
  push(when, reinterpret_cast<std::uintptr_t>(&g) | k_sleeper);
  publish();
}

void timer_heap::sift_down(std::size_t i, entry e) noexcept {
  for (;;) {
    const std::size_t first = i * k_arity + 1;
    if (first >= size_) break;
    const std::size_t end = first + k_arity < size_ ? first + k_arity : size_;
    std::size_t least = first;
    for (std::size_t c = first + 1; c < end; ++c) {
      if (heap_[c].when < heap_[least].when) least = c;
    }
    if (e.when <= heap_[least].when) break;
    heap_[i] = heap_[least];
    i = least;
  }
  heap_[i] = e;
}

timer_heap::entry timer_heap::pop() noexcept {
  const entry top = heap_[0];
  const entry last = heap_[--size_];
  if (size_ > 0) {
    sift_down(0, last);
    __builtin_prefetch(reinterpret_cast<const void*>(heap_[0].what));
  }
  return top;
}

// An entry of t that does not count has left the heap.
void timer_heap::release_entry(timer_node& t) noexcept {
  if (stale_ > 0) --stale_;
  bury(t);
}

void timer_heap::bury(timer_node& t) noexcept {
  if (!t.orphan || t.entries != 0 || t.pins != 0) return;
  t.next_fired = dead_;
  dead_ = &t;
}

void timer_heap::take_dead(dead_timers& dead) noexcept {
  timer_node* last = dead_;
  while (last->next_fired != nullptr) last = last->next_fired;
  last->next_fired = dead.first_;
  dead.first_ = dead_;
  dead_ = nullptr;
}

void dead_timers::destroy_all() noexcept {
  while (first_ != nullptr) {
    timer_node* t = first_;
    first_ = t->next_fired;
    t->kind->destroy(*t);
  }
}

void timer_heap::drop_stale() noexcept {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    const entry e = heap_[i];
    if (e.is_sleeper() || (e.node().active && e.node().entry_when == e.when)) {
      heap_[kept++] = e;
      continue;
    }
    timer_node& t = e.node();
    --t.entries;
    if (t.entry_when == e.when) t.entry_when = timer_node::k_no_entry;
    release_entry(t);
  }
  size_ = kept;
  stale_ = 0;
  for (std::size_t i = kept / k_arity + 1; i-- > 0;) {
    if (i < kept) sift_down(i, heap_[i]);
  }
}

bool timer_heap::start_locked(timer_node& t, std::int64_t when, std::int64_t period) noexcept {
  if (when >= k_forever) when = k_forever - 1;
  const bool was_active = t.active;
  t.when = when;
  t.period = period;
  t.active = true;
  t.removed = false;
  if (t.entries > 0 && t.entry_when <= when) {
    // The entry in the heap surfaces first and is moved then.
    if (!was_active && stale_ > 0) --stale_;
    return was_active;
  }
  if (was_active && t.entries > 0) ++stale_;
  push(when, t);
  if (stale_ > k_stale_slack && stale_ > size_ / 4) drop_stale();
  publish();
  return was_active;
}

bool timer_heap::stop_locked(timer_node& t) noexcept {
  if (!t.active) return false;
  t.active = false;
  if (t.entries == 1 && heap_[size_ - 1].what == reinterpret_cast<std::uintptr_t>(&t)) {
    // Last in the array, as a timer is that is stopped soon after it was started: out at once.
    --size_;
    t.entries = 0;
    t.entry_when = timer_node::k_no_entry;
    t.removed = true;
    if (size_ == 0) publish();
    bury(t);
  } else if (t.entries > 0) {
    ++stale_;
    if (stale_ > k_stale_slack && stale_ > size_ / 4) {
      drop_stale();
      publish();
    }
  }
  return true;
}

bool timer_heap::start(timer_node& t, std::int64_t when, std::int64_t period, dead_timers& dead) noexcept {
  mu_.lock();
  const bool was_active = start_locked(t, when, period);
  unlock(dead);
  return was_active;
}

void timer_heap::abandon(timer_node& t, dead_timers& dead) noexcept {
  mu_.lock();
  t.orphan = true;  // before anything may drop its last entry
  const bool out_already = t.entries == 0;
  stop_locked(t);
  if (out_already) bury(t);
  unlock(dead);
}

bool timer_heap::run_due(std::int64_t now, due_timers& out) noexcept {
  if (!mu_.try_lock()) return false;
  for (int taken = 0; taken < k_at_once && size_ > 0 && heap_[0].when <= now; ++taken) {
    const entry e = pop();
    if (e.is_sleeper()) {
      goroutine* g = e.sleeper();
      g->next = nullptr;
      if (out.wake_last != nullptr) {
        out.wake_last->next = g;
      } else {
        out.wake_first = g;
      }
      out.wake_last = g;
      continue;
    }
    timer_node& t = e.node();
    --t.entries;
    const bool counts = t.entry_when == e.when;
    if (counts) t.entry_when = timer_node::k_no_entry;
    if (!counts || !t.active) {
      release_entry(t);
      continue;
    }
    if (t.when > now) {
      push(t.when, t);
      continue;
    }
    const std::int64_t due = t.when;
    if (t.period > 0) {
      // Skips the instants that have passed already: slow receivers skip ticks.
      t.when += t.period * (1 + (now - t.when) / t.period);
      push(t.when, t);
    } else {
      t.active = false;
    }
    switch (t.kind->action) {
      case timer_action::locked:
        t.kind->fire(t, due);
        break;
      case timer_action::deferred:
        // One list link per node: a periodic timer that is still on a list skips this firing.
        if (t.pins > 0) break;
        ++t.pins;
        t.fired_due = due;
        t.next_fired = nullptr;
        if (out.deferred_last != nullptr) {
          out.deferred_last->next_fired = &t;
        } else {
          out.deferred_first = &t;
        }
        out.deferred_last = &t;
        break;
    }
  }
  publish();
  mu_.unlock();
  return true;
}

void timer_heap::unpin(timer_node& t) noexcept {
  mu_.lock();
  --t.pins;
  bury(t);
  mu_.unlock();
}

void timer_heap::clear() noexcept {
  dead_timers dead;
  timer_node* armed = nullptr;
  mu_.lock();
  for (std::size_t i = 0; i < size_; ++i) {
    if (heap_[i].is_sleeper()) continue;
    timer_node& t = heap_[i].node();
    --t.entries;
    const bool counts = t.entry_when == heap_[i].when;
    if (counts) t.entry_when = timer_node::k_no_entry;
    if (counts && t.active && t.kind->forget != nullptr) {
      t.next_fired = armed;
      armed = &t;
    }
    if (counts) t.active = false;
    bury(t);  // an armed one is no orphan
  }
  size_ = 0;
  stale_ = 0;
  publish();
  unlock(dead);
  while (armed != nullptr) {
    timer_node* t = armed;
    armed = t->next_fired;
    t->kind->forget(*t);
  }
}

}  // namespace pirn::rt
