// Getting work from other Ps. Layer: sched. Essay: docs/internals/scheduler.md "Sharing". Model:
// docs/internals/models/hold.pml.
//
// Run queues are their owners' alone. A thief first asks (k_attn_share): the owner, at its next entry into the runtime,
// gives half of its queue to the global one. Only when the owner does not come by, because its goroutine computes, the
// thief acts in its place: it sets k_attn_hold, makes all threads pass a barrier, and if the owner is still outside the
// runtime, it stays there until the hold ends. Costs a system call and an interrupt, on the side that has nothing to
// do.
#include "os/membarrier.h"
#include "sched/entry.h"

namespace pirn::rt {

namespace {

// How long an owner that is active in the runtime may take to answer: some 3 us.
constexpr int k_patience = 300;

bool give_half_to_all(scheduler& s, processor* p) noexcept {
  s.mu.lock();
  const std::uint32_t given = p->queue.give_half(s.global);
  s.global_count.store(s.global.size(), std::memory_order_relaxed);
  s.mu.unlock();
  return given != 0;
}

}  // namespace

bool any_queue_has_work(scheduler& s) noexcept {
  const int n = s.proc_slots.load(std::memory_order_acquire);
  for (int i = 0; i < n; ++i) {
    if (s.procs[static_cast<std::size_t>(i)]->queue.size() != 0) return true;
  }
  return false;
}

void share_queue(worker* w) noexcept {
  w->attention.fetch_and(~k_attn_share, std::memory_order_relaxed);
  if (w->p == nullptr) return;
  if (give_half_to_all(*w->sched, w->p)) wake_if_needed(*w->sched);
}

bool take_over_queue(scheduler& s, processor* p, bool with_next) noexcept {
  worker* owner = p->holder.load(std::memory_order_acquire);
  if (owner == nullptr) return false;
  if ((owner->attention.fetch_or(k_attn_hold, std::memory_order_seq_cst) & k_attn_hold) != 0) return false;  // [EN-2]
  heavy_barrier();
  bool any = false;
  if (owner->inside.load(std::memory_order_acquire) == 0 && owner->p == p) {
    any = give_half_to_all(s, p);
    goroutine* next = with_next ? p->queue.take_next() : nullptr;
    if (next != nullptr) push_global(s, next);
    any = any || next != nullptr;
  }
  chaos_step();
  owner->attention.fetch_and(~k_attn_hold, std::memory_order_release);  // [EN-4]
  return any;
}

goroutine* steal(worker* w) noexcept {
  scheduler& s = *w->sched;
  const auto n = static_cast<std::uint32_t>(s.proc_slots.load(std::memory_order_acquire));
  const std::uint32_t start = w->next_random() % n;
  for (std::uint32_t i = 0; i < n; ++i) {
    processor* victim = s.procs[(start + i) % n].get();
    if (victim == w->p || victim->queue.size() == 0) continue;
    worker* owner = victim->holder.load(std::memory_order_acquire);
    if (owner == nullptr) continue;
    owner->attention.fetch_or(k_attn_share, std::memory_order_relaxed);
    const int patience = chaos_chance(4) ? 0 : k_patience;
    for (int k = 0; k < patience && victim->queue.size() != 0; ++k) {
      if (s.global_count.load(std::memory_order_relaxed) != 0) break;
      cpu_pause();
    }
    if (s.global_count.load(std::memory_order_relaxed) == 0 && victim->queue.size() != 0) {
      take_over_queue(s, victim, false);
    }
    if (s.global_count.load(std::memory_order_relaxed) != 0) {
      if (goroutine* g = take_from_global(w)) return g;
    }
  }
  return nullptr;
}

}  // namespace pirn::rt
