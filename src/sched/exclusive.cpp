// The mode in which spinlocks need no locked instruction. Layer: sched.
//
// With one P, the worker that holds it is the only thread inside the runtime that takes spinlocks (sysmon takes none),
// unless a foreign thread enters. So the mode holds from the start of a run with GOMAXPROCS 1 until the first foreign
// entry or the second P; it does not come back in that run. It does not begin beside a foreign thread that is inside:
// such a one has seen no mode and would read the flag as its own.
// Leaving: clear the flag, make every thread pass a barrier, then wait until the holder of each P has been seen outside
// (or no P is held). Who enters after the barrier reads the cleared flag; who was inside before may still lock plainly,
// and is waited for. Only then is the mode off, and only then does a foreign thread go on: the flag alone does not
// tell.
#include <sched.h>

#include "os/membarrier.h"
#include "sched/entry.h"
#include "sched/in_place.h"

namespace pirn::rt {

namespace {
enum class mode : std::uint8_t { off, on, leaving };
std::atomic<mode> current_mode{mode::off};
thread_mutex changing;  // the mode; held while waiting for the holders of Ps to be seen outside
}  // namespace

// seq_cst: the reading half of the Dekker pair in begin_exclusive().
bool exclusive_mode_is_off() noexcept { return current_mode.load(std::memory_order_seq_cst) == mode::off; }

void begin_exclusive(scheduler& s) noexcept {
  if (s.gomaxprocs.load(std::memory_order_relaxed) != 1 || !have_membarrier) return;
  changing.lock();
  // Dekker with foreign_enter(): either this sees the thread inside, or the thread sees the mode and waits for the
  // lock.
  current_mode.store(mode::on, std::memory_order_seq_cst);
  if (foreign_threads_inside()) {
    current_mode.store(mode::off, std::memory_order_relaxed);
  } else {
    one_inside.store(true, std::memory_order_relaxed);  // who comes now takes the lock before it reads the flag
  }
  changing.unlock();
}

// REQUIRES: outside: the thread that waits here must itself be seen outside by another that does.
void end_exclusive() noexcept {
  const unstoppable with_the_locks_below(this_worker());
  changing.lock();
  scheduler* s = the_scheduler.load(std::memory_order_acquire);
  if (exclusive_mode_is_off() || s == nullptr) {
    changing.unlock();
    return;
  }
  current_mode.store(mode::leaving, std::memory_order_relaxed);
  one_inside.store(false, std::memory_order_seq_cst);
  heavy_barrier();
  const worker* self = this_worker();
  s->mu.lock();  // no idle P is bound meanwhile without its holder having read the cleared flag
  s->mu.unlock();
  const int n = s->proc_slots.load(std::memory_order_acquire);
  for (int i = 0; i < n; ++i) {
    processor* p = s->procs[static_cast<std::size_t>(i)].get();
    for (;;) {
      worker* w = p->holder.load(std::memory_order_acquire);
      if (w == nullptr || w == self || exclusive_mode_is_off()) break;  // off: the run has ended meanwhile
      // The hold makes the next entry wait outside, so that it cannot be missed.
      if ((w->attention.fetch_or(k_attn_hold, std::memory_order_seq_cst) & k_attn_hold) != 0) {
        sched_yield();  // somebody else holds it, shortly
        continue;
      }
      heavy_barrier();
      const bool outside = w->inside.load(std::memory_order_acquire) == 0;
      w->attention.fetch_and(~k_attn_hold, std::memory_order_release);
      if (outside) break;
      sched_yield();
    }
  }
  mode leaving = mode::leaving;
  current_mode.compare_exchange_strong(leaving, mode::off, std::memory_order_release, std::memory_order_relaxed);
  changing.unlock();
}

void forget_exclusive() noexcept {
  one_inside.store(false, std::memory_order_seq_cst);
  current_mode.store(mode::off, std::memory_order_seq_cst);
}

}  // namespace pirn::rt
