// Acting as the owner of every P. Layer: sched. Contract and reasons: sched/stop.h.
#include "sched/stop.h"

#include <sched.h>

#include <algorithm>

#include "os/clock.h"
#include "os/membarrier.h"

namespace pirn::rt {

namespace {
// Those that are stopped already wait for the last one: it is given this long, then all go on for a while. Where that
// is not enough, because threads are often kept from running while they are inside, it becomes more from time to time.
constexpr std::int64_t k_patience_ns = 200'000;
constexpr std::int64_t k_most_patience_ns = 50'000'000;

bool lock_until(thread_mutex& mu, std::int64_t until) noexcept {
  while (!mu.try_lock()) {
    if (now_ns() >= until) return false;
    sched_yield();
  }
  return true;
}
}  // namespace

bool world_stop::is_held(const worker* w) const noexcept {
  for (const held& h : held_) {
    if (h.w == w) return true;
  }
  return false;
}

// REQUIRES: mu. True when every P is idle, our own, or its holder has our hold.
bool world_stop::hold_all() noexcept {
  bool all = true;
  const int n = s_.proc_slots.load(std::memory_order_acquire);
  for (int i = 0; i < n; ++i) {
    processor* p = s_.procs[static_cast<std::size_t>(i)].get();
    if (!p->owned) continue;
    worker* w = p->holder.load(std::memory_order_acquire);
    if (w == nullptr) {  // on its way to a worker
      all = false;
      continue;
    }
    if (w == self_ || is_held(w)) continue;
    if ((w->attention.fetch_or(k_attn_hold, std::memory_order_seq_cst) & k_attn_hold) != 0) {
      all = false;  // another one's hold, for a short time; ours would be given back by it
    } else if (!held_.push_back({w})) {
      w->attention.fetch_and(~k_attn_hold, std::memory_order_release);
      all = false;
    }
  }
  return all;
}

// REQUIRES: mu, and a heavy barrier since hold_all().
bool world_stop::all_stopped() const noexcept {
  const int n = s_.proc_slots.load(std::memory_order_acquire);
  for (int i = 0; i < n; ++i) {
    const processor* p = s_.procs[static_cast<std::size_t>(i)].get();
    if (!p->owned) continue;
    const worker* w = p->holder.load(std::memory_order_acquire);
    if (w == self_ && w != nullptr) continue;
    if (w == nullptr || !is_held(w)) return false;
    if (w->inside.load(std::memory_order_acquire) != 0 || w->p != p) return false;  // [EN-2]
  }
  return true;
}

void world_stop::let_go() noexcept {
  for (const held& h : held_) {
    chaos_step();
    h.w->attention.fetch_and(~k_attn_hold, std::memory_order_release);  // [EN-4]
  }
  held_.clear();
}

bool world_stop::try_begin(std::int64_t until) noexcept {
  sched_yield();  // with a fresh slice of time, so as not to lose the core while everybody waits
  for (std::int64_t patience = k_patience_ns;; patience = std::min(2 * patience, k_most_patience_ns)) {
    const std::int64_t give_way = now_ns() + patience;
    do {
      if (!lock_until(s_.mu, until)) {
        let_go();
        return false;
      }
      const bool all = hold_all();
      heavy_barrier();
      chaos_step();
      if (all && all_stopped()) {
        begun_ = true;
        return true;
      }
      s_.mu.unlock();
      sched_yield();
    } while (now_ns() < give_way);
    let_go();
    if (now_ns() >= until) return false;
    sched_yield();
  }
}

void world_stop::end() noexcept {
  if (begun_) {
    begun_ = false;
    let_go();
    s_.mu.unlock();
  }
}

}  // namespace pirn::rt
