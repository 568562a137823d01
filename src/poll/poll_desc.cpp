// Waiters for readiness, and the pool of the objects they meet at. Layer: poll. The protocol: poll/poll_desc.h.
#include "poll/poll_desc.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <new>

namespace pirn::rt {

namespace {

// Objects stay where they are, and keep their generation, for the life of the process: a late report may name any. They
// are mappings of their own, as nobody inside waits for malloc.
constexpr std::uint32_t k_chunk = 512;
constexpr std::uint32_t k_most_chunks = 1U << 15;  // 16 Mi objects; the table is address space until it is used

struct pool {
  shared_spinlock mu;
  poll_desc* free = nullptr;      // Guarded by mu.
  std::uint32_t chunk_count = 0;  // Guarded by mu.
  std::atomic<poll_desc*> chunks[k_most_chunks];
};
pool the_pool;

bool grow_locked(pool& p) noexcept {
  if (p.chunk_count == k_most_chunks) return false;
  void* memory = mmap(nullptr, k_chunk * sizeof(poll_desc), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  auto* chunk = static_cast<poll_desc*>(memory);
  for (std::uint32_t i = k_chunk; i-- > 0;) {
    poll_desc* d = ::new (chunk + i) poll_desc;
    d->index = p.chunk_count * k_chunk + i;
    d->next_free = p.free;
    p.free = d;
  }
  p.chunks[p.chunk_count++].store(chunk, std::memory_order_release);
  return true;
}

poll_desc* of_tag(std::uint64_t tag) noexcept {
  const auto index = static_cast<std::uint32_t>(tag);
  return &the_pool.chunks[index / k_chunk].load(std::memory_order_acquire)[index % k_chunk];
}

void wake_thread(const poll_waiter& w) noexcept {
  const int saved = errno;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(w.wake_fd, &one, sizeof one);
  errno = saved;
}

void report_locked(poll_desc& d, poll_side s, ready_list& out) noexcept {
  if (d.side(s).first == nullptr) {
    d.side(s).ready.store(true, std::memory_order_release);
  } else {
    take_waiters_locked(d, s, poll_result::try_again, out);
  }
}

}  // namespace

poll_desc* take_poll_desc() noexcept {
  pool& p = the_pool;
  p.mu.lock();
  if (p.free == nullptr && !grow_locked(p)) {
    p.mu.unlock();
    return nullptr;
  }
  poll_desc* d = p.free;
  p.free = d->next_free;
  p.mu.unlock();
  return d;
}

void release_poll_desc(poll_desc* d) noexcept {
  d->mu.lock();
  ++d->generation;
  for (poll_desc::direction& side : d->sides) {
    side.ready.store(false, std::memory_order_relaxed);
    side.expired.store(false, std::memory_order_relaxed);
    side.deadline = k_forever;
  }
  d->ended.store(false, std::memory_order_relaxed);
  d->closing = false;
  d->mu.unlock();
  pool& p = the_pool;
  p.mu.lock();
  d->next_free = p.free;
  p.free = d;
  p.mu.unlock();
}

bool begin_wait_locked(poll_desc& d, poll_side s, poll_waiter& w) noexcept {
  poll_desc::direction& side = d.side(s);
  if (d.closing) {
    w.why = poll_result::closed;
    return false;
  }
  if (side.expired.load(std::memory_order_relaxed)) {
    w.why = poll_result::expired;
    return false;
  }
  w.why = poll_result::try_again;
  if (side.ready.exchange(false, std::memory_order_seq_cst)) return false;
  poll_waiter** end = &side.first;
  while (*end != nullptr) end = &(*end)->next;
  w.next = nullptr;
  w.queued = true;
  *end = &w;
  return true;
}

bool end_wait_locked(poll_desc& d, poll_side s, poll_waiter& w) noexcept {
  if (!w.queued) return false;
  poll_waiter** at = &d.side(s).first;
  while (*at != &w) at = &(*at)->next;
  *at = w.next;
  w.queued = false;
  return true;
}

void take_waiters_locked(poll_desc& d, poll_side s, poll_result why, ready_list& out) noexcept {
  poll_waiter* w = d.side(s).first;
  d.side(s).first = nullptr;
  while (w != nullptr) {
    poll_waiter* next = w->next;
    w->queued = false;
    w->why = why;
    if (w->g != nullptr) {
      out.push_back(w->g);
    } else {
      wake_thread(*w);  // under the lock: the thread closes its eventfd after it has had the lock
    }
    w = next;
  }
}

void send_threads_back_locked(poll_desc& d, poll_side s) noexcept {
  poll_waiter** at = &d.side(s).first;
  while (poll_waiter* w = *at) {
    if (w->g != nullptr) {
      at = &w->next;
      continue;
    }
    *at = w->next;
    w->queued = false;
    wake_thread(*w);
  }
}

void deliver(const poll_report* reports, int n, ready_list& out) noexcept {
  for (int i = 0; i < n; ++i) {
    poll_desc& d = *of_tag(reports[i].tag);
    d.mu.lock();
    chaos_step();
    if (d.generation == static_cast<std::uint32_t>(reports[i].tag >> 32) && !d.closing) {  // [PD-4]
      if ((reports[i].what & k_poll_ended) != 0) d.ended.store(true, std::memory_order_relaxed);
      if ((reports[i].what & k_poll_read) != 0) report_locked(d, poll_side::read, out);
      if ((reports[i].what & k_poll_write) != 0) report_locked(d, poll_side::write, out);
    }
    d.mu.unlock();
  }
}

}  // namespace pirn::rt
