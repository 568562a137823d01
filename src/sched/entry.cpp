// The slow ways into and out of the runtime. Layer: sched. The rule: sched/entry.h.
#include "sched/entry.h"

#include <sched.h>

#include "sched/in_place.h"

namespace pirn::rt {

worker* enter_slow(worker* w) noexcept {
  if ((w->attention.load(std::memory_order_relaxed) & k_attn_fence) != 0) {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // [EN-1]
  }
  for (;;) {
    const std::uint32_t why = w->attention.load(std::memory_order_acquire);
    if ((why & k_attn_forked) != 0) die_in_forked_child();
    if ((why & k_attn_hold) != 0) {
      wait_while_held(w);
      continue;
    }
    if ((why & k_attn_stop) != 0) abandon_current();
    if ((why & k_attn_no_p) != 0) {
      w->attention.fetch_and(~k_attn_no_p, std::memory_order_relaxed);
      w = take_p_back(w);
      continue;
    }
    if ((why & k_attn_retired) != 0) {
      w->attention.fetch_and(~k_attn_retired, std::memory_order_relaxed);
      if (w->p != nullptr && w->p->retired.load(std::memory_order_relaxed)) {
        drop_retired_p(w);
        w = take_p_back(w);
      }
      continue;
    }
    if ((why & k_attn_share) != 0) {
      share_queue(w);
      continue;
    }
    return w;
  }
}

namespace {
void stop_and_keep_errno(worker* w) noexcept {
  const int saved = *w->errno_at;
  stop_in_place(w);
  *w->errno_at = saved;
}
}  // namespace

void leave_slow(worker* w) noexcept {
  w->attention.fetch_and(~k_attn_yield, std::memory_order_relaxed);
  // Another goroutine may run here by now.
  if (w->p != nullptr && still_its_slice(w)) stop_and_keep_errno(w);
}

void stop_on_leave(worker* w) noexcept {
  if (w->p != nullptr && chaos_stops()) stop_and_keep_errno(w);
}

void wait_while_held(worker* w) noexcept {
  for (;;) {
    // Outside while waiting: the holder must not take us for somebody who works on the P.
    w->inside.store(0, std::memory_order_release);
    for (int round = 0; (w->attention.load(std::memory_order_acquire) & k_attn_hold) != 0; ++round) {  // [EN-4]
      if (round < 100) {
        cpu_pause();
      } else {
        sched_yield();
      }
    }
    w->inside.store(1, std::memory_order_relaxed);  // [EN-1] again
    light_barrier();
    if ((w->attention.load(std::memory_order_acquire) & k_attn_hold) == 0) return;
  }
}

namespace {
// Foreign threads inside the runtime. A run is torn down only when there are none.
std::atomic<std::uint32_t> foreign_inside{0};
}  // namespace

scheduler* foreign_enter() noexcept {
  // seq_cst with the teardown's store of null and its read of the count: one of the two sees the other.
  foreign_inside.fetch_add(1, std::memory_order_seq_cst);
  if (!exclusive_mode_is_off()) end_exclusive();
  return the_scheduler.load(std::memory_order_seq_cst);
}

void foreign_leave() noexcept { foreign_inside.fetch_sub(1, std::memory_order_release); }

namespace {
// How many wait, and above it how often that has changed.
std::atomic<std::uint64_t> foreign_waiters{0};
constexpr std::uint64_t k_one_change = std::uint64_t{1} << 32;
}  // namespace

// seq_cst: check_deadlock() puts its two reads around one of something else, the number of threads.
void foreign_waits() noexcept { foreign_waiters.fetch_add(k_one_change + 1, std::memory_order_seq_cst); }
void foreign_wait_ends() noexcept { foreign_waiters.fetch_add(k_one_change - 1, std::memory_order_seq_cst); }

foreign_wait_count waiting_foreign_threads() noexcept {
  const std::uint64_t all = foreign_waiters.load(std::memory_order_seq_cst);
  return {all, static_cast<std::uint32_t>(all)};
}

bool foreign_threads_inside() noexcept { return foreign_inside.load(std::memory_order_seq_cst) != 0; }

void wait_for_foreign_threads() noexcept {
  while (foreign_inside.load(std::memory_order_seq_cst) != 0) sched_yield();
}

}  // namespace pirn::rt
