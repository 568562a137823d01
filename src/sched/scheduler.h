// The scheduler of a run: its state and the calls between its files. Layer: sched.
//
// Start with docs/internals/scheduler.md, then read in this order: worker.h, run_queue.h, entry.h, park.cpp
// (switching), find_work.cpp (what runs next), idle.cpp (sleep and wake), steal.cpp (hold handshake), in_place.cpp and
// away.cpp (who computes or blocks without end), netpoll.cpp (who waits for descriptors), sysmon.cpp, locked.cpp,
// threads.cpp, procs.cpp, run.cpp (begin and end).
#pragma once

#include <signal.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "os/fatal.h"
#include "sched/netpoll.h"
#include "sched/worker.h"

namespace pirn::rt {

inline constexpr int k_max_procs = 4096;
inline constexpr std::uint32_t k_global_check = 61;  // prime, so that it falls in with no pattern of the program
inline constexpr std::uint32_t k_poll_check = 3;     // rounds without a look at the poller: that is a system call
inline constexpr std::uint64_t k_id_batch = 64;

// What at_exit asks for; see pirn/go.h.
enum class exit_policy { abandon, unwind, wait };

struct scheduler : untracked {
  // Constant while the run lasts.
  std::uint8_t default_stack_class = k_default_stack_class;
  exit_policy at_exit = exit_policy::abandon;
  std::int64_t grace_ns = 0;
  std::int64_t slice_ns = 10'000'000;  // what a goroutine may compute while others wait

  goroutine_pool goroutines;
  stack_depot stacks;

  thread_mutex mu;
  // Guarded by mu (counts readable by anyone).
  global_queue global;
  std::atomic<std::uint32_t> global_count{0};
  processor* idle_ps = nullptr;
  worker* idle_workers = nullptr;  // the one that has slept the shortest first
  worker* last_idle_worker = nullptr;
  std::uint32_t lingering_workers = 0;
  std::vector<worker*> workers;                   // every one that ever was; freed with the run
  std::vector<std::unique_ptr<processor>> procs;  // reserved to k_max_procs: never moves
  std::atomic<int> proc_slots{0};                 // procs.size(), readable without mu
  worker* timekeeper = nullptr;                   // sleeps with the nearest timer as its time-out

  net_poll net;

  // [ID-1], [ID-2]: see idle.cpp.
  alignas(k_cache_line) std::atomic<int> idle_p_count{0};
  std::atomic<int> spinning{0};
  std::atomic<int> gomaxprocs{1};

  std::atomic<std::uint64_t> next_id{1};
  std::atomic<std::uint64_t> created_outside{0};  // goroutines started by threads without a P
  // Milliseconds of the coarse clock since the run began; see sysmon.cpp.
  std::atomic<std::uint32_t> coarse_ms{0};
  std::int64_t began_ns = 0;

  // Goroutines that could not be given a stack; retried when one is given back. Guarded by mu (count by anyone).
  g_list stackless;
  std::atomic<std::uint32_t> stackless_count{0};
  // Objects for goroutines that threads without a P start. Guarded by mu.
  goroutine_magazine outside_free;

#ifdef PIRN_TSAN
  // Stacks that came back, oldest first, per class. Guarded by mu.
  struct resting {
    stack* first = nullptr;
    stack* last = nullptr;
    std::uint32_t count = 0;
  };
  resting resting_stacks[k_stack_classes];
#endif
  // Only its address: what any goroutine did comes before what follows run(), and before the end of any thread.
  char end_of_run = 0;

  // The end of a run.
  std::atomic<bool> stopping{false};
  std::atomic<bool> draining{false};  // at_exit::unwind: only the main thread is left, and runs the unwinding ones
  std::int64_t drain_until = 0;
  std::atomic<bool> last_one_tells{false};  // at_exit::wait, or main has called goexit: who finishes last looks
  std::atomic<goroutine*> exit_waiter{nullptr};
  std::atomic<bool> main_returned{false};
  std::atomic<std::uint32_t> live_threads{0};  // besides the one that called run(); futex word

  // Goroutines in a call during which their P was taken: they will come back. Guarded by mu (count by anyone).
  std::atomic<std::uint32_t> blocking_sections{0};
  worker* away = nullptr;  // the threads of those that had not announced it
  // A goroutine that was last found to wait for what comes from outside the process: looked at first; see deadlock.cpp.
  const goroutine* waits_for_outside = nullptr;

  // Threads whose goroutine was stopped in place, the one that has waited longest first; see in_place.cpp. Guarded by
  // mu (count by anyone). While there are any no P is idle.
  worker* in_place_first = nullptr;
  worker* in_place_last = nullptr;
  std::atomic<std::uint32_t> in_place_count{0};
  std::atomic<std::int64_t> last_turn_ns{0};  // when one of them last got, or gave up, a P
  // How often goroutines were stopped in place, and how often Ps were taken from those in a call. Guarded by mu.
  std::uint64_t stops_in_place = 0;
  std::uint64_t ps_taken = 0;

  std::atomic<bool> dumping{false};  // somebody takes all stacks; see debug/stack_text.cpp

  // sysmon.cpp
  pthread_t sysmon_thread{};
  thread_event sysmon_event;
  bool sysmon_deep = false;              // Guarded by mu: sleeps until an idle P is taken
  std::atomic<bool> sysmon_lazy{false};  // does not look again soon
  std::atomic<bool> sysmon_stop{false};

  // The thread that makes threads; see threads.cpp.
  pthread_t spawner_thread{};
  thread_event spawner_event;
  std::atomic<bool> spawner_stop{false};
  sigset_t signals{};  // the mask of whoever called run(): that of goroutines
  // Guarded by mu.
  processor* starts_first = nullptr;  // Ps that wait for a new thread
  processor* starts_last = nullptr;
  std::uint32_t starts = 0;
  std::uint32_t threads_coming = 0;  // made for them, not there yet
  std::uint32_t idle_worker_count = 0;
  worker* ended_workers = nullptr;  // their threads are gone, the objects are used again

  // Following the affinity mask and the CPU quota: sysmon says when, the spawner, which may wait for malloc, reads
  // them.
  std::int64_t limits_read_at = 0;  // sysmon's
  std::atomic<bool> limits_due{false};
  std::atomic<bool> follows_limits{false};  // nobody has asked for a number of Ps; guarded by procs.cpp's lock
};

// The scheduler of the run under way, null outside. Foreign threads look at it under a foreign_entry.
extern std::atomic<scheduler*> the_scheduler;

// --- park.cpp: how a goroutine stops and goes on. All REQUIRE to be inside (entry.h) with a P, on a goroutine's stack.

// Parks the current goroutine until ready(). `after` runs once the stack has been left, so whoever wakes the goroutine
// can never find it still running: give the lock of the queue back there. errno, exception state and floating-point
// control survive. Still inside on return, perhaps on another worker.
// A run that ends with at_exit::unwind makes it end by a forced unwind instead of returning.
void park(const park_kind& kind, void* object, switch_work after);

void park_on(worker* w, const park_kind& kind, void* object, switch_work after);

// gosched(), from any thread: the caller goes to the end of its P's ring; a thread without a P gives its core up.
void yield_to_others();

// Makes a goroutine that was taken off its wait queue runnable. From a goroutine or a scheduling stack it becomes the
// next one on this P; from elsewhere it goes to the global queue. Never parks. REQUIRES: inside or foreign_entry.
void ready(goroutine* g) noexcept;
// Puts g behind what is queued on w's P.
void queue_last(worker* w, goroutine* g) noexcept;
// Queues one that was pushed out of a P's slot, and wakes a worker if that is needed.
void ready_kicked(worker* w, goroutine* kicked) noexcept;
// ready() on a worker that holds a P.
PIRN_ALWAYS_INLINE void ready_on(worker* w, goroutine* g) noexcept {
  g->set_state(g_state::runnable);
  happens_before(g);
  if (chaos_chance(8)) return ready_kicked(w, g);
  goroutine* kicked = w->p->queue.exchange_next(g);
  // Alone in the slot it runs next here; sysmon bounds how long it may wait behind the caller.
  if (kicked != nullptr) ready_kicked(w, kicked);
}
// As ready(), but behind what is queued already.
void ready_last(goroutine* g) noexcept;

// The current goroutine goes to the global queue, this worker, which holds no P, to its scheduling stack.
void requeue_without_p() noexcept;

// The scheduling loop of a worker, on its own thread's stack. Returns when the run is over or the thread must end.
void worker_loop(worker* w) noexcept;
// The same as a thread's whole life in the run: afterwards the worker is outside for good.
void run_worker(worker* w) noexcept;

// Ends the current goroutine. REQUIRES: outside; enters by itself.
[[noreturn]] void finish_current() noexcept;

// Leaves the current goroutine for the scheduling stack for ever (the run has ended).
[[noreturn]] void abandon_current() noexcept;

// --- goexit.cpp
// Unwinds the current goroutine by force: destructors run, then it ends. REQUIRES: outside.
[[noreturn]] void unwind_current();

// --- find_work.cpp
// What this worker runs next; parks the thread while there is nothing. Null: the worker must end.
goroutine* find_work(worker* w) noexcept;
// Binds a stack to a goroutine that never ran. False when there is no memory for one now.
bool bind_stack(processor* p, goroutine* g) noexcept;
// The first context on a stack that was just given to g.
void prepare_stack(goroutine* g) noexcept;
#ifdef PIRN_TSAN
// Instead of the magazines: see os/sanitizer.h.
stack* take_rested_stack(scheduler& s, std::uint8_t size_class) noexcept;
void rest_stack(scheduler& s, stack* stk) noexcept;
#endif
// Makes sure g has a stack; false when it was put aside until there is one.
bool bind_or_defer(worker* w, goroutine* g) noexcept;
// Runs the due timers of one heap, or of all of them, for a worker that looks for work.
void run_timers(worker* w, timer_heap& heap, std::int64_t now) noexcept;
void run_all_timers(worker* w, std::int64_t now) noexcept;
// w's share of the global queue: one to run, the rest into w's queue. REQUIRES: that queue is empty.
goroutine* take_from_global(worker* w) noexcept;
// The earliest instant any P's timers wait for.
std::int64_t next_timer(scheduler& s) noexcept;

// --- idle.cpp
// [ID-1] Called after queuing work: wakes a worker if a P is idle and nobody looks for work already.
void wake_if_needed(scheduler& s) noexcept;
// Gives `p` to a worker: an idle one or a new one. REQUIRES: p held by nobody.
void start_worker(scheduler& s, processor* p, bool spinning) noexcept;
// Sleeps without a P until handed one or the run is over.
void sleep_without_p(worker* w) noexcept;
// Gives w's P up and sleeps; returns when there may be work again, with a P, or when the run is over.
void go_idle(worker* w) noexcept;
void bind_p(worker* w, processor* p) noexcept;
processor* pop_idle_p_locked(scheduler& s) noexcept;
void push_idle_p_locked(scheduler& s, processor* p) noexcept;
void stop_spinning(worker* w) noexcept;
void push_global(scheduler& s, goroutine* g) noexcept;
void push_global(scheduler& s, g_list& list) noexcept;
goroutine* pop_global(scheduler& s) noexcept;

// --- steal.cpp
// Serves requests of others; called where the owner is inside with a P.
void share_queue(worker* w) noexcept;
// Gets goroutines for w from another P: asks first, takes over if the owner stays out of the runtime.
goroutine* steal(worker* w) noexcept;
bool any_queue_has_work(scheduler& s) noexcept;
// For an owner that has not moved: gives half of what is queued behind it to the global queue; sysmon also its slot.
bool take_over_queue(scheduler& s, processor* p, bool with_next) noexcept;
// Waits while somebody holds this worker's P. REQUIRES: inside; inside again on return.
void wait_while_held(worker* w) noexcept;

// --- spawn.cpp
void free_goroutine(worker* w, goroutine* g) noexcept;
void free_stack(worker* w, stack* s) noexcept;
// Never too small, exact when nothing changes meanwhile.
int live_goroutines(const scheduler& s) noexcept;

// Starts a goroutine that calls fn(arg), or drop(arg) if the run ends first, behind what is queued. REQUIRES: inside
// with a P. False without memory.
bool start_plain(worker* w, void (*fn)(void*), void (*drop)(void*) noexcept, void* arg) noexcept;

// --- locked.cpp: goroutines bound to threads, and blocking sections
// Gives w's P to the thread that g is bound to. w has none afterwards.
void hand_to_locked(worker* w, goroutine* g) noexcept;
// w's own goroutine is parked: gives the P on and sleeps until it is runnable. Null: the run is over.
goroutine* wait_for_own_goroutine(worker* w) noexcept;
// Gives a P that nobody holds to whoever has use for it.
void hand_on(scheduler& s, processor* p) noexcept;
// Gets a P for the goroutine that runs here without one. May change the worker unless the goroutine is bound to it.
worker* take_p_back(worker* w) noexcept;

// --- away.cpp: Ps of threads that are in a call
// Takes p from its holder if that is outside and has not moved since tick and call were read; gives it to others.
bool take_p_away(scheduler& s, processor* p, std::uint32_t tick, std::uint32_t call) noexcept;
// w is about to get a P. REQUIRES: mu.
void no_longer_away_locked(scheduler& s, worker* w) noexcept;
// Looks after those that went without announcing it: who has come back and computes is stopped until it has a P. When
// to look again at the latest.
std::int64_t look_after_away(scheduler& s, std::int64_t now) noexcept;

// --- threads.cpp
// Asks for a thread that takes p up. REQUIRES: mu; the caller signals spawner_event afterwards.
void ask_for_thread_locked(scheduler& s, processor* p, bool spinning) noexcept;
// The P that has waited longest for a thread, if that is since `before` at the latest; null: none. REQUIRES: mu.
processor* pop_start_locked(scheduler& s, std::int64_t before) noexcept;
void start_spawner(scheduler& s);
void stop_spawner(scheduler& s) noexcept;
// As of now, the caller of run() and those without goroutines included.
int thread_count(scheduler& s) noexcept;
// Returns the limit before.
int set_thread_limit(int n) noexcept;
worker* new_worker(scheduler& s);
void attach_thread(worker* w) noexcept;
void detach_thread(worker* w) noexcept;
// A thread of the runtime's that runs no goroutines, with all signals blocked.
pthread_t start_helper(scheduler& s, void* (*fn)(void*));

// --- sysmon.cpp
void start_sysmon(scheduler& s);
void stop_sysmon(scheduler& s) noexcept;

// --- procs.cpp
using fresh_procs = std::vector<std::unique_ptr<processor>>;
// Those that gomaxprocs `n` needs beyond the ones there are. REQUIRES: outside.
fresh_procs make_procs(scheduler& s, int n);
int default_gomaxprocs() noexcept;
// The first Ps of a run: n, or the default for 0, which then follows the limits as they change.
void begin_procs(scheduler& s, int n);
// What the program asks for. Ends the following of limits. Returns the count before; what is not needed of `fresh`
// stays in it, to be freed outside.
int change_gomaxprocs(scheduler& s, int n, fresh_procs& fresh) noexcept;
// Sysmon's part: once a second at most, and never while the process is idle, it has the affinity mask and the CPU quota
// read anew. The spawner's part is to do so.
void ask_for_limits(scheduler& s, std::int64_t now) noexcept;
void follow_limits(scheduler& s) noexcept;
// The heap of P number `index`; heaps live as long as the process.
timer_heap& timer_heap_of(int index);
// Gives up the retired P of w.
void drop_retired_p(worker* w) noexcept;

// --- deadlock.cpp
// Ends the process with Go's report when nothing can go on any more.
void check_deadlock(scheduler& s) noexcept;
// Whether a goroutine waits for what comes from outside the process. REQUIRES: all others wait, too.
bool somebody_waits_for_outside(scheduler& s) noexcept;

// --- fork.cpp
// Makes calls into the runtime from the child of a fork() a fatal error. Called at the beginning of each run.
void watch_forks();
[[noreturn]] void die_in_forked_child() noexcept;

// --- exclusive.cpp: leaving locked instructions out while one thread at most can be inside; see os/spinlock.h
void begin_exclusive(scheduler& s) noexcept;
void end_exclusive() noexcept;
bool exclusive_mode_is_off() noexcept;
// At the end of a run, by the last thread inside.
void forget_exclusive() noexcept;

// --- entry.cpp
void wait_for_foreign_threads() noexcept;
bool foreign_threads_inside() noexcept;
// Foreign threads that wait on something of pirn's and that nobody has woken; they are not inside meanwhile.
struct foreign_wait_count {
  std::uint64_t version;  // another one whenever the number has changed
  std::uint32_t threads;
};
foreign_wait_count waiting_foreign_threads() noexcept;

// --- run.cpp
void begin_stopping(scheduler& s) noexcept;

}  // namespace pirn::rt
