// Goroutines come and go: objects, stacks, numbers, and what is shared with handles. Layer: sched.
#include "sched/spawn.h"

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "pirn/detail/start.h"
#include "sched/blocks.h"
#include "sched/entry.h"

namespace pirn::rt {

namespace {

PIRN_NOINLINE bool refill_goroutines(scheduler& s, processor* p) noexcept {
  return s.goroutines.refill(p->free_goroutines);
}

PIRN_NOINLINE void refill_ids(scheduler& s, processor* p) noexcept {
  p->next_id = s.next_id.fetch_add(k_id_batch, std::memory_order_relaxed);
  p->ids_end = p->next_id + k_id_batch;
}

void give_identity(worker* w, goroutine* g, void* creator_pc) noexcept {
  processor* p = w->p;
  if (PIRN_UNLIKELY(p->next_id == p->ids_end)) refill_ids(*w->sched, p);
  g->id = p->next_id++;
  g->creator_pc = creator_pc;
  g->creator_id = w->current != nullptr ? w->current->id : 0;
  p->created.store(p->created.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

[[noreturn]] void throw_no_memory(const char* what) {
  throw std::system_error(std::make_error_code(std::errc::not_enough_memory), what);
}

}  // namespace

namespace {
std::atomic<std::size_t> max_stack{SIZE_MAX};
}

std::size_t change_max_stack(std::size_t bytes) noexcept {
  return max_stack.exchange(bytes, std::memory_order_relaxed);
}

std::size_t stack_limit(std::size_t usable) noexcept {
  const std::size_t most = max_stack.load(std::memory_order_relaxed);
  return usable < most ? usable : most;
}

void free_goroutine(worker* w, goroutine* g) noexcept {
  g->flags = 0;
  g->eh = {};
  if (goroutine* batch = w->p->free_goroutines.push(g)) w->sched->goroutines.take_back(batch);
}

void free_stack(worker* w, stack* s) noexcept {
  if (PIRN_UNLIKELY(s->size_class == k_own_mapping)) {
    // The caller still runs on it: it goes when the next one of its kind does.
    stack* last = w->own_mapping_to_free;
    w->own_mapping_to_free = s;
    if (last != nullptr) w->sched->stacks.unmap_own(last);
    return;
  }
#ifdef PIRN_TSAN
  w->left_stack = s;  // any worker may take one that rests: not before this one has left it
#else
  if (stack* batch = w->p->free_stacks[s->size_class].push(s)) w->sched->stacks.take_back(s->size_class, batch);
#endif
  if (PIRN_UNLIKELY(w->sched->stackless_count.load(std::memory_order_relaxed) != 0)) retry_stackless(*w->sched);
}

void retry_stackless(scheduler& s) noexcept {
  s.mu.lock();
  goroutine* g = s.stackless.pop_front();
  s.stackless_count.store(s.stackless.count, std::memory_order_relaxed);
  if (g != nullptr) {
    s.global.push_back(g);
    s.global_count.store(s.global.size(), std::memory_order_relaxed);
  }
  s.mu.unlock();
}

int live_goroutines(const scheduler& s) noexcept {
  // Ends before begins: the difference never comes out too small.
  const auto* procs = s.procs.data();
  const auto* end = procs + s.proc_slots.load(std::memory_order_acquire);
  std::uint64_t live = 0;
  for (const auto* p = procs; p != end; ++p) live -= (*p)->finished.load(std::memory_order_acquire);
  for (const auto* p = procs; p != end; ++p) live += (*p)->created.load(std::memory_order_relaxed);
  return static_cast<int>(live + s.created_outside.load(std::memory_order_relaxed));
}

goroutine* try_new_goroutine() noexcept {
  worker* w = try_enter_fast();
  if (PIRN_UNLIKELY(w == nullptr)) return nullptr;
  goroutine* g = w->p->free_goroutines.try_pop();
  const std::uint8_t size_class = w->sched->default_stack_class;
  leave(w);
  if (PIRN_LIKELY(g != nullptr)) {
    g->set_state(g_state::fresh);
    g->size_class = size_class;
  }
  return g;
}

goroutine* new_goroutine(std::size_t stack_bytes, const std::string* name) {
  goroutine* g = nullptr;
  scheduler* s = nullptr;
  std::uint8_t size_class = k_default_stack_class;
  {
    const entry e;
    worker* w = e.on();
    s = w != nullptr ? w->sched : the_scheduler.load(std::memory_order_acquire);
    if (PIRN_UNLIKELY(s == nullptr)) throw std::logic_error("pirn::go: called outside pirn::run");
    size_class = s->default_stack_class;
    if (PIRN_LIKELY(w != nullptr)) {
      processor* p = w->p;
      g = p->free_goroutines.try_pop();
      if (PIRN_UNLIKELY(g == nullptr) && refill_goroutines(*s, p)) g = p->free_goroutines.try_pop();
    } else {
      s->mu.lock();
      g = s->outside_free.try_pop();
      if (g == nullptr && s->goroutines.refill(s->outside_free)) g = s->outside_free.try_pop();
      s->mu.unlock();
    }
  }
  if (PIRN_UNLIKELY(g == nullptr)) throw_no_memory("pirn::go: goroutine object");
  g->set_state(g_state::fresh);
  g->size_class = size_class;
  if (PIRN_LIKELY(stack_bytes == 0 && name == nullptr)) return g;
  try {
    if (name != nullptr && !name->empty()) {
      need_extras(g).name = *name;
      g->flags |= k_g_named;
    }
    if (stack_bytes != 0) {
      stack_bytes = stack_limit(stack_bytes);
      g->size_class = stack_class_for(stack_bytes);
    }
    if (g->size_class == k_own_mapping) {
      {
        const entry e;
        g->stk = s->stacks.map_own(stack_bytes);
      }
      if (g->stk == nullptr) throw_no_memory(("goroutine stack of " + std::to_string(stack_bytes) + " bytes").c_str());
      prepare_stack(g);
    }
  } catch (...) {
    discard_goroutine(g);
    throw;
  }
  return g;
}

void discard_goroutine(goroutine* g) noexcept {
  const entry e;
  g->flags = 0;
  g->set_state(g_state::idle);
  worker* w = this_worker();
  if (w != nullptr) {
    free_goroutine(w, g);
    return;
  }
  scheduler* s = the_scheduler.load(std::memory_order_acquire);
  if (s == nullptr) return;  // the run has ended meanwhile, and its slabs with it
  s->mu.lock();
  goroutine* batch = s->outside_free.push(g);
  s->mu.unlock();
  if (batch != nullptr) s->goroutines.take_back(batch);
}

namespace {

struct plain_closure {
  void (*fn)(void*);
  void (*drop)(void*) noexcept;
  void* arg;
};

void manage_plain(detail::closure_slot& slot, detail::closure_op op) {
  plain_closure c{};
  __builtin_memcpy(&c, slot.storage, sizeof c);
  if (op == detail::closure_op::run_and_destroy) {
    c.fn(c.arg);
  } else {
    c.drop(c.arg);
  }
}

}  // namespace

bool start_plain(worker* w, void (*fn)(void*), void (*drop)(void*) noexcept, void* arg) noexcept {
  processor* p = w->p;
  goroutine* g = p->free_goroutines.try_pop();
  if (g == nullptr && refill_goroutines(*w->sched, p)) g = p->free_goroutines.try_pop();
  if (g == nullptr) return false;
  const plain_closure closure{fn, drop, arg};
  static_assert(sizeof closure <= detail::closure_slot::k_inline);
  __builtin_memcpy(g->slot.storage, &closure, sizeof closure);
  g->slot.manage = manage_plain;
  g->size_class = w->sched->default_stack_class;
  give_identity(w, g, nullptr);
  ready_last(g);
  return true;
}

void start_goroutine(goroutine* g, void* creator_pc) {
  if (worker* fast = try_enter_fast(); PIRN_LIKELY(fast != nullptr)) {
    give_identity(fast, g, creator_pc);
    ready_on(fast, g);
    leave(fast);
    return;
  }
  const entry e;
  worker* w = e.on();
  if (PIRN_UNLIKELY(w == nullptr)) {
    scheduler* s = the_scheduler.load(std::memory_order_acquire);
    // While the last goroutines unwind, others' threads must not keep the run going; a late look does no harm.
    if (s == nullptr || s->draining.load(std::memory_order_relaxed)) {
      throw std::logic_error("pirn::go: called outside pirn::run");
    }
    g->id = s->next_id.fetch_add(1, std::memory_order_relaxed);
    g->creator_pc = creator_pc;
    g->creator_id = 0;
    s->created_outside.fetch_add(1, std::memory_order_relaxed);
    g->set_state(g_state::runnable);
    happens_before(g);
    push_global(*s, g);
    wake_if_needed(*s);
    return;
  }
  give_identity(w, g, creator_pc);
  ready_on(w, g);
}

}  // namespace pirn::rt

namespace pirn::detail {

void* new_join_block() { return rt::new_block(rt::block_kind::join, k_join_bytes); }
void delete_join_block(void* block) noexcept { rt::delete_block(rt::block_kind::join, block); }

}  // namespace pirn::detail
