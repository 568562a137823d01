// pirn::shared_mutex past its fast paths. Layer: sync. Essay: docs/internals/sync.md "shared_mutex"; model:
// docs/internals/models/shared_mutex.pml.
//
// How many readers there are is the sum of what the state counts and, while `live`, what the threads' cells have gained
// since they were last settled. A reader may count in by the one and out by the other. A writer announces itself
// (k_writer, no k_biased), so that nobody counts in any more, and holds the lock once the sum is zero.
// Orderings:
//   [RW-1] reader: change the own cell (release); light barrier; read biased (acquire). Still? Done. Else undo or tell.
//   [RW-2] writer: biased = false, under the queue's lock; heavy barrier; sum the cells (acquire), under it again.
//          Dekker: a change that the sum misses is followed by a look that sees the announcement; that reader settles
//          with the writer under the lock. Whoever settles last sees all cells.
//   [RW-3] biased = true (release) comes after what the writers before did (k_biased is set by an acquire).
// Lifetime: once a reader has counted out he touches the table only, which is never freed, and the object by the
// table's owner, under the table's lock; whoever destroys the object takes that lock.
#include "pirn/sync/shared_mutex.h"

#include <new>

#include "os/clock.h"
#include "os/fatal.h"
#include "os/thread_slot.h"
#include "sync/cancellation.h"
#include "sync/parking_lot.h"
#include "sync/wait_queue.h"

namespace pirn {

using namespace pirn::rt;  // NOLINT: this file implements the public class over rt

namespace detail {

struct reader_table {
  // Changed by the thread that has the number alone, read by all. Two lines each: cores fetch them in pairs.
  struct alignas(2 * k_cache_line) cell {
    std::atomic<std::int64_t> count{0};

    void add(std::int64_t n) noexcept {
#ifdef PIRN_TSAN
      count.fetch_add(n, std::memory_order_acq_rel);  // to it, two goroutines on one thread are two threads
#else
      count.store(count.load(std::memory_order_relaxed) + n, std::memory_order_release);
#endif
    }
  };

  std::atomic<bool> biased{false};
  // Guarded by the queue's lock of the owner.
  bool live = false;              // the cells may differ from `settled`
  std::int64_t settled = 0;       // their sum when they were last known to hold no reader
  std::int64_t not_before = 0;    // no bias again until then: revoking it was dear
  spinlock mu;                    // taken before the owner's queue's
  shared_mutex* owner = nullptr;  // Guarded by mu.
  reader_table* next_free = nullptr;
  cell cells[k_thread_slots];

  PIRN_ALWAYS_INLINE cell* own_cell() noexcept {
    const worker* w = this_worker();
    if (w == nullptr || w->thread_slot < 0 || !biased.load(std::memory_order_relaxed)) return nullptr;
    return &cells[w->thread_slot];
  }
  std::int64_t sum() const noexcept {
    std::int64_t n = 0;
    for (int i = thread_slots_used(); i-- > 0;) n += cells[i].count.load(std::memory_order_acquire);
    return n;
  }
  bool still_biased() const noexcept {  // [RW-1]
    light_barrier();
    return biased.load(std::memory_order_acquire);
  }
  // A reader has counted out of its cell while a writer announced itself.
  void tell_writer() noexcept;

  PIRN_ALWAYS_INLINE bool count_in() noexcept {
    cell* c = own_cell();
    if (PIRN_UNLIKELY(c == nullptr)) return false;
    c->add(1);
    if (PIRN_LIKELY(still_biased())) return true;
    c->add(-1);
    tell_writer();
    return false;
  }
  PIRN_ALWAYS_INLINE bool count_out() noexcept {
    cell* c = own_cell();
    if (PIRN_UNLIKELY(c == nullptr)) return false;
    c->add(-1);
    if (PIRN_UNLIKELY(!still_biased())) tell_writer();
    return true;
  }
};

namespace {

constexpr std::int64_t k_revocations_apart = 16;  // at most a 16th of the time goes into revoking
constexpr int k_spins = 4;
constexpr int k_pauses = 30;

spinlock free_tables_mu;
reader_table* free_tables = nullptr;  // Guarded by free_tables_mu. Never given back: see "Lifetime".

reader_table* take_table() noexcept {
  {
    const entry e;
    free_tables_mu.lock();
    reader_table* t = free_tables;
    if (t != nullptr) free_tables = t->next_free;
    free_tables_mu.unlock();
    if (t != nullptr) return t;
  }
  return new (std::nothrow) reader_table;
}

// REQUIRES: inside.
void give_table_back(reader_table* t) noexcept {
  free_tables_mu.lock();
  t->next_free = free_tables;
  free_tables = t;
  free_tables_mu.unlock();
}

}  // namespace

struct shared_mutex_access {
  struct writer_node : queued_waiter {
    writer_node(goroutine* g, shared_mutex& m) noexcept : queued_waiter(g), of(m) {}
    shared_mutex& of;
  };

  static std::int64_t counted(std::uint64_t state) noexcept {
    return static_cast<std::int64_t>(state) >> 4;  // k_reader is 16
  }
  static wait_queue& queue_of(shared_mutex& m) noexcept { return m.queue_; }

  // All of these REQUIRE the queue's lock.

  // Whether no reader is left; then the announced writer holds it, and the cells are settled.
  static bool settle(shared_mutex& m) noexcept {
    reader_table* t = m.table_.load(std::memory_order_relaxed);
    const bool live = t != nullptr && t->live;
    // acquire, as in sum(): what the readers did comes before what the writer does.
    const std::int64_t here = counted(m.state_.load(std::memory_order_acquire));
    const std::int64_t cells = live ? t->sum() : 0;
    const std::int64_t readers = here + (live ? cells - t->settled : 0);
    if (readers < 0) fatal("sync: RUnlock of unlocked RWMutex");
    if (readers > 0) return false;
    if (live) {
      t->settled = cells;
      t->live = false;
    }
    // Nobody else changes the count now: no reader is left to count out, and none counts in.
    m.state_.fetch_add(shared_mutex::k_held - static_cast<std::uint64_t>(here) * shared_mutex::k_reader,
                       std::memory_order_acq_rel);
    return true;
  }

  // The writer that waits for the readers, if they have left, off its place; to be resumed without the lock.
  static queued_waiter* settle_for_waiter(shared_mutex& m) noexcept {
    queued_waiter* w = m.writer_;
    if (w == nullptr || (m.state_.load(std::memory_order_relaxed) & shared_mutex::k_held) != 0 || !settle(m)) {
      return nullptr;
    }
    return take_writer(m);
  }

  static queued_waiter* take_writer(shared_mutex& m) noexcept {
    queued_waiter* w = m.writer_;
    m.writer_ = nullptr;
    w->queued = false;
    w->next = nullptr;
    return w;
  }

  // After an unlock: all readers who wait get it, else the writer who does. Returns who is to be resumed.
  static queued_waiter* pass_on(shared_mutex& m) noexcept {
    queued_waiter* list = take_all(m.queue_);
    std::uint64_t state = 0;
    for (const queued_waiter* r = list; r != nullptr; r = r->next) state += shared_mutex::k_reader;
    if (m.writer_ != nullptr) {
      if (list == nullptr) {
        state = shared_mutex::k_held;
        list = take_writer(m);
      }
      state |= shared_mutex::k_writer;
    }
    // release: what the writer did comes before what they do. Nobody else changes the state of a lock that is held, but
    // under the queue's lock.
    m.state_.store(state, std::memory_order_release);
    return list;
  }

  // The announced writer gives up, so readers go on as before; those who wait get in. At the end of a run the
  // goroutines among them are to be unlinked, not served.
  static void withdraw(shared_mutex& m, bool only_threads, taken_waiters& served) noexcept {
    reader_table* t = m.table_.load(std::memory_order_relaxed);
    // Readers count out of the state under the lock while a writer is announced, so it stands still.
    std::uint64_t state = m.state_.load(std::memory_order_acquire) & ~shared_mutex::k_flags;
    for (queued_waiter* r = first_of(m.queue_); r != nullptr;) {
      queued_waiter* next = r->next;
      if (!only_threads || r->g == nullptr) {
        served.take(m.queue_, *r);
        state += shared_mutex::k_reader;
      }
      r = next;
    }
    if (t != nullptr && t->live) {  // their cells are not settled
      state |= shared_mutex::k_biased;
      t->biased.store(true, std::memory_order_release);  // [RW-3]
    }
    m.state_.store(state, std::memory_order_release);
  }

  // At the end of a run goroutines will not go on; a thread that waits behind them is the next writer.
  static void prefer_threads(const mutex& writers) noexcept {
    parking_bucket& b = bucket_for(&writers);
    b.mu.lock();
    for (parked_node* n = b.find(&writers); n != nullptr; n = n->next) {
      if (n->key != &writers || n->g != nullptr) continue;
      b.remove(*n);
      b.push_front(*n);
      break;
    }
    b.mu.unlock();
  }

  // The rest of giving up is done by the writer itself: abandon_lock().
  static bool withdraw_writer(goroutine*, void* node) noexcept {
    auto& w = *static_cast<writer_node*>(node);
    if (w.queue.load(std::memory_order_relaxed) == nullptr) return false;
    spinlock& lock = lock_of(w.of.queue_);
    lock.lock();
    const bool mine = w.queued;
    if (mine) take_writer(w.of);
    lock.unlock();
    return mine;
  }

  // The writer that has `writers_` no longer wants the lock that it has not got. Announced it may be or not: where the
  // writer before has yet to let go, or has let go since without finding it, there is nothing of it in the state.
  static void abandon_lock(shared_mutex& m) noexcept {
    taken_waiters served;
    spinlock& lock = lock_of(m.queue_);
    lock.lock();
    const std::uint64_t seen = m.state_.load(std::memory_order_relaxed);
    if ((seen & shared_mutex::k_writer) != 0 && (seen & shared_mutex::k_held) == 0) withdraw(m, false, served);
    lock.unlock();
    served.resume_all();
  }

  static bool unlink_writer(goroutine*, void* node) noexcept {
    auto& w = *static_cast<writer_node*>(node);
    if (w.queue.load(std::memory_order_relaxed) == nullptr) return true;
    shared_mutex& m = w.of;
    taken_waiters served;
    lock_of(m.queue_).lock();
    const bool mine = w.queued;
    if (mine) {
      take_writer(m);
      if ((m.state_.load(std::memory_order_relaxed) & shared_mutex::k_held) == 0) withdraw(m, true, served);
    }
    lock_of(m.queue_).unlock();
    served.resume_all();
    if (mine) {
      prefer_threads(m.writers_);
      m.writers_.unlock();
    }
    return mine;
  }

  // Announces the writer that has `writers_` and takes the bias away. True: the writer before has yet to let go.
  // Gives the queue's lock back in between; has it on return.
  static bool announce(shared_mutex& m) noexcept {
    spinlock& lock = lock_of(m.queue_);
    lock.lock();
    std::uint64_t seen = m.state_.load(std::memory_order_relaxed);
    for (;;) {
      if ((seen & shared_mutex::k_writer) != 0) {
        if (m.state_.compare_exchange_weak(seen, seen | shared_mutex::k_parked, std::memory_order_relaxed)) return true;
      } else if (m.state_.compare_exchange_weak(seen, (seen & ~shared_mutex::k_biased) | shared_mutex::k_writer,
                                                std::memory_order_acquire)) {
        break;
      }
    }
    if ((seen & shared_mutex::k_biased) == 0) return false;
    reader_table* t = m.table_.load(std::memory_order_relaxed);
    t->biased.store(false, std::memory_order_relaxed);  // [RW-2]
    lock.unlock();
    const std::int64_t began = now_ns();
    heavy_barrier();
    const std::int64_t ended = now_ns();
    lock.lock();
    t->not_before = ended + (ended - began) * k_revocations_apart;
    return false;
  }

  // Readers have met: gives them counters of their own, if that may pay.
  static void bias(shared_mutex& m) noexcept {
    const worker* w = this_worker();
    if (w == nullptr || w->thread_slot < 0) return;
    reader_table* t = m.table_.load(std::memory_order_acquire);
    reader_table* fresh = nullptr;
    if (t == nullptr) {
      t = fresh = take_table();
      if (t == nullptr) return;
    }
    const std::int64_t now = now_ns();
    const entry e;
    if (fresh != nullptr) {
      fresh->mu.lock();
      fresh->owner = &m;
      fresh->mu.unlock();
    }
    lock_of(m.queue_).lock();
    if (fresh != nullptr) {
      if (reader_table* there = m.table_.load(std::memory_order_relaxed)) {
        t = there;
      } else {
        t->live = false;
        t->settled = t->sum();
        t->not_before = 0;
        m.table_.store(t, std::memory_order_release);
        fresh = nullptr;
      }
    }
    if (now >= t->not_before) {
      std::uint64_t seen = m.state_.load(std::memory_order_relaxed);
      while ((seen & (shared_mutex::k_writer | shared_mutex::k_biased)) == 0) {
        if (!m.state_.compare_exchange_weak(seen, seen | shared_mutex::k_biased, std::memory_order_acq_rel)) continue;
        t->live = true;
        t->biased.store(true, std::memory_order_release);  // [RW-3]
        break;
      }
    }
    lock_of(m.queue_).unlock();
    if (fresh != nullptr) {  // another reader was faster
      fresh->mu.lock();
      fresh->owner = nullptr;
      fresh->mu.unlock();
      give_table_back(fresh);
    }
  }

  // Counts a reader in by the state, while there is no writer; he tells whether he met others at it.
  static bool count_in(shared_mutex& m, bool& met) noexcept {
    std::uint64_t seen = m.state_.load(std::memory_order_relaxed);
    while ((seen & shared_mutex::k_writer) == 0) {
      if (m.state_.compare_exchange_weak(seen, seen + shared_mutex::k_reader, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
        return true;
      }
      met = true;
    }
    return false;
  }

  // A reader without a counter of his own.
  PIRN_NOINLINE static void lock_shared_by_state(shared_mutex& m);
  static bool lock_shared_unless_canceled(shared_mutex& m, cancel_node* by);
  PIRN_NOINLINE static void unlock_shared_by_state(shared_mutex& m);

  static void withdraw_table(shared_mutex& m) noexcept {
    const entry e;
    if (reader_table* t = m.table_.load(std::memory_order_relaxed)) {
      t->mu.lock();
      t->biased.store(false, std::memory_order_relaxed);
      t->owner = nullptr;
      t->mu.unlock();
      give_table_back(t);
    }
    lock_of(m.queue_).lock();
    if (m.writer_ != nullptr)
      m.writer_->queue.store(nullptr, std::memory_order_relaxed);  // cut off, as the readers in the queue
    lock_of(m.queue_).unlock();
  }
};

void reader_table::tell_writer() noexcept {
  const entry e;
  queued_waiter* w = nullptr;
  mu.lock();
  if (owner != nullptr) {
    spinlock& lock = lock_of(shared_mutex_access::queue_of(*owner));
    lock.lock();
    w = shared_mutex_access::settle_for_waiter(*owner);
    lock.unlock();
  }
  mu.unlock();
  if (w != nullptr) resume(*w);
}

}  // namespace detail

namespace {

using access = detail::shared_mutex_access;

constexpr park_kind k_read_lock{"sync.RWMutex.RLock", detail::unlink_queued};
constexpr park_kind k_write_lock{"sync.RWMutex.Lock", access::unlink_writer};

}  // namespace

void shared_mutex::lock_slow() { lock_unless_canceled(nullptr); }

std::error_code shared_mutex::lock(const pirn::context& ctx) {
  if (const std::error_code waiting = writers_.lock(ctx)) return waiting;
  std::uint64_t free = 0;
  if (state_.compare_exchange_strong(free, k_writer | k_held, std::memory_order_acquire, std::memory_order_relaxed) ||
      lock_unless_canceled(detail::canceler_for_wait(ctx))) {
    return {};
  }
  writers_.unlock();
  return ctx.err();
}

std::error_code shared_mutex::lock_shared(const pirn::context& ctx) {
  if (const std::error_code ended = ctx.err()) return ended;
  if (try_lock_shared() || access::lock_shared_unless_canceled(*this, detail::canceler_for_wait(ctx))) return {};
  return ctx.err();
}

// REQUIRES: `writers_`. False: what may cancel it, `by`, did, and the caller is to give `writers_` back.
bool shared_mutex::lock_unless_canceled(detail::cancel_node* by) {
  // The writer before lets go within a few instructions of letting the next one in.
  for (int i = 0; i < detail::k_spins * detail::k_pauses; ++i) {
    if ((state_.load(std::memory_order_relaxed) & k_held) == 0) break;
    cpu_pause();
  }
  const entry e;
  access::writer_node w(e.current(), *this);
  w.queue.store(&queue_, std::memory_order_relaxed);
  detail::cancellation c(by, w, access::withdraw_writer, &w);
  if (!c.begin()) return false;
  const bool still_held = access::announce(*this);
  spinlock& lock = lock_of(queue_);
  if (!still_held && access::settle(*this)) {
    lock.unlock();
    return true;
  }
  if (c.asked()) {
    lock.unlock();
    access::abandon_lock(*this);
    return false;
  }
  w.queued = true;
  writer_ = &w;
  suspend(w, k_write_lock, &w, lock);
  if (!c.withdrawn()) return true;
  access::abandon_lock(*this);
  return false;
}

bool shared_mutex::try_lock_slow() {
  const std::uint64_t seen = state_.load(std::memory_order_relaxed);
  if ((seen & k_writer) != 0 || ((seen & k_biased) == 0 && seen >= k_reader)) {
    writers_.unlock();
    return false;
  }
  bool got = false;
  {
    const entry e;
    detail::taken_waiters served;
    const bool still_held = access::announce(*this);
    got = !still_held && access::settle(*this);
    if (!got && !still_held) access::withdraw(*this, false, served);
    lock_of(queue_).unlock();
    served.resume_all();
  }
  if (!got) writers_.unlock();
  return got;
}

void shared_mutex::unlock_slow() {
  const entry e;
  lock_of(queue_).lock();
  detail::queued_waiter* list = access::pass_on(*this);
  lock_of(queue_).unlock();
  resume_all(list);
}

void shared_mutex::unlocked_too_often() { fatal("sync: Unlock of unlocked RWMutex"); }

// The ways of a reader with a counter of his own are kept apart from the rest, so that they save no registers.
void shared_mutex::lock_shared_slow() {
  detail::reader_table* t = table_.load(std::memory_order_acquire);
  if (PIRN_UNLIKELY(t == nullptr || !t->count_in())) access::lock_shared_by_state(*this);
}

void detail::shared_mutex_access::lock_shared_by_state(shared_mutex& m) { lock_shared_unless_canceled(m, nullptr); }

// False: what may cancel it, `by`, did.
bool detail::shared_mutex_access::lock_shared_unless_canceled(shared_mutex& m, cancel_node* by) {
  for (;;) {
    if (m.try_lock_shared_slow()) return true;
    const entry e;
    detail::queued_waiter r(e.current());
    r.queue.store(&m.queue_, std::memory_order_relaxed);
    detail::cancellation c(by, r, withdraw_queued, &r);
    if (!c.begin()) return false;
    spinlock& lock = lock_of(m.queue_);
    lock.lock();
    std::uint64_t seen = m.state_.load(std::memory_order_relaxed);
    while ((seen & shared_mutex::k_writer) != 0 &&
           !m.state_.compare_exchange_weak(seen, seen | shared_mutex::k_parked, std::memory_order_relaxed)) {
    }
    if ((seen & shared_mutex::k_writer) == 0) {
      lock.unlock();
      continue;
    }
    if (c.asked()) {
      lock.unlock();
      return false;
    }
    push_back(m.queue_, r);
    suspend(r, k_read_lock, &r, lock);
    return !c.withdrawn();  // whoever resumed us has counted us in
  }
}

bool shared_mutex::try_lock_shared_slow() {
  if (detail::reader_table* t = table_.load(std::memory_order_acquire)) {
    if (t->count_in()) return true;
  }
  bool met = false;
  if (!access::count_in(*this, met)) return false;
  if (met) access::bias(*this);
  return true;
}

void shared_mutex::unlock_shared_slow() {
  detail::reader_table* t = table_.load(std::memory_order_acquire);
  if (PIRN_UNLIKELY(t == nullptr || !t->count_out())) access::unlock_shared_by_state(*this);
}

void detail::shared_mutex_access::unlock_shared_by_state(shared_mutex& m) {
  for (;;) {
    if (detail::reader_table* t = m.table_.load(std::memory_order_acquire)) {
      if (t->count_out()) return;
    }
    std::uint64_t seen = m.state_.load(std::memory_order_relaxed);
    if ((seen & shared_mutex::k_writer) == 0) {
      if ((seen & shared_mutex::k_biased) == 0 && counted(seen) <= 0) break;
      if (m.state_.compare_exchange_weak(seen, seen - shared_mutex::k_reader, std::memory_order_release)) return;
      continue;
    }
    // Under the lock, so that the writer cannot go on, and destroy this, before it is given back.
    const entry e;
    spinlock& lock = lock_of(m.queue_);
    lock.lock();
    seen = m.state_.load(std::memory_order_relaxed);
    if ((seen & shared_mutex::k_writer) == 0) {
      lock.unlock();
      continue;
    }
    if ((seen & shared_mutex::k_held) != 0) {
      lock.unlock();
      break;
    }
    m.state_.fetch_sub(shared_mutex::k_reader, std::memory_order_acq_rel);
    detail::queued_waiter* w = settle_for_waiter(m);
    lock.unlock();
    if (w != nullptr) resume(*w);
    return;
  }
  fatal("sync: RUnlock of unlocked RWMutex");
}

void shared_mutex::retire() noexcept { access::withdraw_table(*this); }

}  // namespace pirn
