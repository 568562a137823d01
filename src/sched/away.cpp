// Goroutines in calls that block: their Ps, and how they come back. Layer: sched. Essay: docs/internals/scheduler.md
// "Blocking". Model: docs/internals/models/away.pml.
//
// A P whose holder is in a call is taken by the hold of entry.h, whether the call was announced (blocking()) or sysmon
// found the thread asleep. Sysmon has seen the holder twice with the same dispatch (`tick`) and the same section
// (`in_call`) and looks once more under the hold:
//   [AW-1] in_call becomes odd, in_call becomes even: plain stores of the owner, the second one inside.
//   [AW-2] take: attention |= hold; heavy barrier; outside, and all as it was? Then take the P and set k_attn_no_p; let
//          the hold go. With [EN-1] either the owner's next entry finds the hold, and then no P, or it is seen inside,
//          and nothing is taken.
// So a goroutine without a P finds k_attn_no_p in its next entry and gets one before it takes a lock. One that comes
// back from a call that was not announced, and does not enter, runs without a P until sysmon has seen that it computes:
// awake now, and on a CPU, not asleep, since the last look. Only then is it signalled, so that no sleep is cut short.
#include "os/clock.h"
#include "os/membarrier.h"
#include "sched/entry.h"
#include "sched/in_place.h"

namespace pirn::rt {

namespace {

constexpr std::int64_t k_soon_ns = 1'000'000;
constexpr std::int64_t k_late_ns = 10'000'000;
constexpr std::int64_t k_late_idle_ns = 100'000'000;  // no P is wanted
constexpr int k_at_once = 16;

void went_away_locked(scheduler& s, worker* w, bool announced) noexcept {
  s.blocking_sections.fetch_add(1, std::memory_order_relaxed);
  w->away = announced ? worker::absence::announced : worker::absence::unannounced;
  if (announced) return;
  w->look_at = now_ns() + k_soon_ns;
  w->look_delay = k_soon_ns;
  w->last_look = {};
  w->prev_away = nullptr;
  w->next_away = s.away;
  if (s.away != nullptr) s.away->prev_away = w;
  s.away = w;
}

void look_after(worker* w, std::int64_t now, bool all_idle) noexcept {
  const thread_look seen = look_at_thread(w->tid);
  const bool computes = seen.computed_since(w->last_look, k_computing_ns);
  w->last_look = seen;
  if (computes) ask_to_stop(w, k_stop_away, 0);
  const std::int64_t longest = all_idle ? k_late_idle_ns : k_late_ns;
  w->look_delay = seen.running ? k_soon_ns : (2 * w->look_delay < longest ? 2 * w->look_delay : longest);
  w->look_at = now + w->look_delay;
}

}  // namespace

void no_longer_away_locked(scheduler& s, worker* w) noexcept {
  if (w->away == worker::absence::none) return;
  if (w->away == worker::absence::unannounced) {
    (w->prev_away != nullptr ? w->prev_away->next_away : s.away) = w->next_away;
    if (w->next_away != nullptr) w->next_away->prev_away = w->prev_away;
  }
  w->away = worker::absence::none;
  s.blocking_sections.fetch_sub(1, std::memory_order_relaxed);
}

bool take_p_away(scheduler& s, processor* p, std::uint32_t tick, std::uint32_t call) noexcept {
  worker* owner = p->holder.load(std::memory_order_acquire);
  if (owner == nullptr) return false;
  if ((owner->attention.fetch_or(k_attn_hold, std::memory_order_seq_cst) & k_attn_hold) != 0) return false;  // [EN-2]
  heavy_barrier();
  chaos_step();
  const bool take = owner->inside.load(std::memory_order_acquire) == 0 && owner->p == p &&
                    p->tick.load(std::memory_order_relaxed) == tick &&
                    owner->in_call.load(std::memory_order_relaxed) == call;
  if (take) {
    owner->p = nullptr;
    p->holder.store(nullptr, std::memory_order_relaxed);
    chaos_step();
    owner->attention.fetch_or(k_attn_no_p, std::memory_order_relaxed);
    if ((call & 1) != 0)
      p->syscall_tick.store(p->syscall_tick.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    s.mu.lock();
    ++s.ps_taken;
    went_away_locked(s, owner, (call & 1) != 0);
    s.mu.unlock();
  }
  chaos_step();
  owner->attention.fetch_and(~k_attn_hold, std::memory_order_release);  // [EN-4]
  chaos_step();  // the owner may be on its way to get a P already
  if (take) hand_on(s, p);
  return take;
}

std::int64_t look_after_away(scheduler& s, std::int64_t now) noexcept {
  worker* due[k_at_once];
  int n = 0;
  std::int64_t next = k_forever;
  s.mu.lock();
  const bool all_idle = s.idle_p_count.load(std::memory_order_relaxed) == s.gomaxprocs.load(std::memory_order_relaxed);
  for (worker* w = s.away; w != nullptr; w = w->next_away) {
    if (w->look_at <= now && n < k_at_once) {
      due[n++] = w;
    } else if (w->look_at < next) {
      next = w->look_at;
    }
  }
  s.mu.unlock();
  // Not under mu, as it takes a while. Who has come back meanwhile does not heed the request.
  for (int i = 0; i < n; ++i) {
    look_after(due[i], now, all_idle);
    if (due[i]->look_at < next) next = due[i]->look_at;
  }
  return next;
}

}  // namespace pirn::rt
