// Stopping goroutines in place, on their threads, and giving them a P again. Layer: sched. The protocol: in_place.cpp.
#pragma once

#include "sched/scheduler.h"

namespace pirn::rt {

// Who has been on a CPU for so long since he slept, if he did, is no longer in the call in which he slept.
inline constexpr std::int64_t k_computing_ns = 100'000;

// Values of worker::stop_asked.
inline constexpr std::uint32_t k_stop_on_p = 1;  // give the P up, if it is still the slice of worker::stop_tick
inline constexpr std::uint32_t k_stop_away = 2;  // the goroutine came back from a call without a P: wait for one

// The signal that config::preempt_signal and the environment ask for; 0: none, also when the program has it blocked: it
// waits for it elsewhere.
int chosen_stop_signal(int configured, const sigset_t& blocked) noexcept;
// Which signal asks goroutines to stop; 0: none does. Chains to what the program has for it, now or later. Per run.
void install_stop_signal(int signal) noexcept;
void remove_stop_signal() noexcept;

// While it lives the thread is not stopped in place: for who holds mu, or a lock that is waited for with mu, while
// outside. `w` is the calling thread's worker, or null for none.
class unstoppable {
 public:
  explicit unstoppable(worker* w) noexcept : w_(w) { set(true); }
  ~unstoppable() { set(false); }
  unstoppable(const unstoppable&) = delete;
  unstoppable& operator=(const unstoppable&) = delete;

 private:
  void set(bool on) noexcept {
    compiler_barrier();  // the handler runs on this very thread
    if (w_ != nullptr) w_->unstoppable = on;
    compiler_barrier();
  }
  worker* w_;
};

// Whether chaos may do so as well, at any moment: with a signal to ask with, and `chaosstops=1` beside chaos=SEED.
bool chaos_stops() noexcept;
// Asks the thread to stop in place. False when there is no signal for it. Called by sysmon.
bool ask_to_stop(worker* w, std::uint32_t how, std::uint32_t tick) noexcept;

// Whether nothing else has been dispatched on w's P since it was asked to stop. REQUIRES: inside, with a P.
bool still_its_slice(const worker* w) noexcept;

// Gives w's P, if it has one, to others and waits until it is granted one again; without one when the run is over.
// REQUIRES: inside, on w's own thread, no hold. Async-signal-safe.
void stop_in_place(worker* w) noexcept;

// REQUIRE: s.mu.
worker* pop_in_place_locked(scheduler& s) noexcept;
void grant_locked(scheduler& s, worker* w, processor* p) noexcept;

// Whether those stopped in place have waited long enough since one of them last had a P.
bool grant_is_due(scheduler& s) noexcept;
// Gives w's P to the one that has waited longest, if there still is one. w has none afterwards.
void grant_own_p(worker* w) noexcept;

}  // namespace pirn::rt
