// Lines about the scheduler in Go's formats. Layer: debug. Source: runtime/proc.go, schedtrace(); the golden outputs
// go-schedtrace and go-scheddetail.
//
// Fields of Go's that have no counterpart say what is true here: no collector waits, nothing is being thrown, and
// `needspinning` is 0, as the worker that finds work wakes the next one itself (sched/idle.cpp). `locks` is whether the
// thread is inside the runtime.
#include "debug/schedtrace.h"

#include "debug/text.h"
#include "os/clock.h"
#include "os/debug_setting.h"
#include "os/mapped_vector.h"
#include "sched/stop.h"

namespace pirn::rt {

namespace {

// Written at the beginning of a run, then sysmon's.
std::int64_t period_ns = 0;
std::int64_t next_line = k_forever;
bool with_detail = false;

constexpr std::int64_t k_patience_ns = 20'000'000;

const char* yes_or_no(bool b) noexcept { return b ? "true" : "false"; }

// Go's numbers for the states of a P and a G.
enum : int { p_idle = 0, p_running = 1 };
enum : int { g_runnable = 1, g_running = 2, g_syscall = 3, g_waiting = 4 };

void write_index(text_sink& out, const char* name, const worker* w) {
  out << name;
  if (w != nullptr) {
    out << w->index;
  } else {
    out << "nil";
  }
}

void write_p(text_sink& out, processor& p) {
  const worker* m = p.holder.load(std::memory_order_relaxed);
  p.timers->lock().lock();
  const std::size_t timers = p.timers->size();
  p.timers->lock().unlock();
  out << "  P" << p.index << ": status=" << (p.owned ? p_running : p_idle)
      << " schedtick=" << p.tick.load(std::memory_order_relaxed)
      << " syscalltick=" << p.syscall_tick.load(std::memory_order_relaxed);
  write_index(out, " m=", m);
  out << " runqsize=" << p.queue.size() + (p.queue.has_next() ? 1U : 0U) << " gfreecnt=" << p.free_goroutines.size()
      << " timerslen=" << static_cast<std::uint64_t>(timers) << "\n";
}

void write_m(text_sink& out, const worker& w, bool blocked) {
  out << "  M" << w.index << ": p=";
  if (w.p != nullptr) {
    out << w.p->index;
  } else {
    out << "nil";
  }
  out << " curg=";
  if (w.current != nullptr) {
    out << w.current->id;
  } else {
    out << "nil";
  }
  out << " mallocing=0 throwing=0 preemptoff= locks=" << w.inside.load(std::memory_order_relaxed)
      << " dying=0 spinning=" << yes_or_no(w.spinning) << " blocked=" << yes_or_no(blocked) << " lockedg=";
  if (w.locked_g != nullptr) {
    out << w.locked_g->id;
  } else {
    out << "nil";
  }
  out << "\n";
}

struct g_line {
  std::uint64_t id;
  int status;
  const char* reason;
  const worker* m;
  const worker* locked_to;
};

const worker* worker_of(const scheduler& s, const goroutine& g) noexcept {
  for (const worker* w : s.workers) {
    if (w->current == &g) return w;
  }
  return nullptr;
}

// REQUIRES: the world stands still.
bool look_at(const scheduler& s, const goroutine& g, g_line& out) noexcept {
  const g_state state = g.get_state();
  if (g.id == 0) return false;
  out = {g.id, 0, "", nullptr, (g.flags & k_g_locked) != 0 ? g.extras->locked_to : nullptr};
  if (state == g_state::runnable) {
    out.status = g_runnable;
  } else if (state == g_state::waiting) {
    out.status = g_waiting;
    out.reason = g.waits_for->reason;
  } else if (state == g_state::running) {
    out.m = worker_of(s, g);
    const bool blocking = out.m != nullptr && (out.m->in_call.load(std::memory_order_relaxed) & 1) != 0;
    out.status = blocking ? g_syscall : g_running;
  } else {
    return false;
  }
  return true;
}

void write_gs(text_sink& out, scheduler& s) {
  struct slab {
    const goroutine* first;
    std::size_t count;
  };
  mapped_vector<slab> slabs;
  s.goroutines.for_each_slab([&](const goroutine* first, std::size_t n) { slabs.push_back({first, n}); });
  constexpr std::size_t k_at_once = 1024;
  mapped_vector<g_line> lines;
  for (const slab& part : slabs) {
    for (std::size_t at = 0; at < part.count;) {
      lines.clear();
      world_stop stop(s, nullptr);
      if (!stop.try_begin(now_ns() + k_patience_ns)) return;
      for (std::size_t n = 0; n < k_at_once && at < part.count; ++n, ++at) {
        g_line line;
        if (look_at(s, part.first[at], line)) lines.push_back(line);
      }
      stop.end();
      for (const g_line& line : lines) {
        out << "  G" << line.id << ": status=" << line.status << "(" << line.reason << ")";
        write_index(out, " m=", line.m);
        write_index(out, " lockedm=", line.locked_to);
        out << "\n";
      }
    }
  }
}

// Ps and Ms at one instant.
void write_ps_and_ms(text_sink& out, scheduler& s) {
  world_stop stop(s, nullptr);
  if (!stop.try_begin(now_ns() + k_patience_ns)) return;  // a thread is inside and not let run: the next line may tell
  const int procs = s.gomaxprocs.load(std::memory_order_relaxed);
  for (int i = 0; i < procs; ++i) write_p(out, *s.procs[static_cast<std::size_t>(i)]);
  for (std::size_t i = s.workers.size(); i-- > 0;) {
    const worker& w = *s.workers[i];
    write_m(out, w, w.on_idle_list || (w.p == nullptr && w.current == nullptr));
  }
}

}  // namespace

void describe_scheduler(scheduler& s, bool detail, std::string& to) {
  string_sink out(to);
  const std::int64_t now_ms = (now_ns() - s.began_ns) / 1'000'000;
  s.mu.lock();
  int idle_threads = 0;
  for (const worker* w = s.idle_workers; w != nullptr; w = w->next_idle) ++idle_threads;
  int idle_locked = 0;
  for (const worker* w : s.workers) {
    const goroutine* g = w->locked_g;
    if (g != nullptr && g->get_state() == g_state::waiting) ++idle_locked;
  }
  const std::uint32_t queued = s.global.size();
  const bool monitor_sleeps = s.sysmon_deep;
  s.mu.unlock();
  constexpr std::uint32_t k_caller_and_sysmon = 2;
  out << "SCHED " << now_ms << "ms: gomaxprocs=" << s.gomaxprocs.load(std::memory_order_relaxed)
      << " idleprocs=" << s.idle_p_count.load(std::memory_order_relaxed)
      << " threads=" << s.live_threads.load(std::memory_order_relaxed) + k_caller_and_sysmon
      << " spinningthreads=" << s.spinning.load(std::memory_order_relaxed)
      << " needspinning=0 idlethreads=" << idle_threads << " runqueue=" << queued;
  const int procs = s.gomaxprocs.load(std::memory_order_relaxed);
  if (!detail) {
    out << " [";
    for (int i = 0; i < procs; ++i) {
      const run_queue& q = s.procs[static_cast<std::size_t>(i)]->queue;
      out << " " << q.size() + (q.has_next() ? 1U : 0U);
    }
    out << " ] schedticks=[";
    for (int i = 0; i < procs; ++i) {
      out << " " << s.procs[static_cast<std::size_t>(i)]->tick.load(std::memory_order_relaxed);
    }
    out << " ]\n";
    return;
  }
  out << " gcwaiting=false nmidlelocked=" << idle_locked << " stopwait=0 sysmonwait=" << yes_or_no(monitor_sleeps)
      << "\n";
  write_ps_and_ms(out, s);
  write_gs(out, s);
}

void begin_schedtrace(const scheduler& s) {
  const long ms = debug_setting("schedtrace", 0);
  period_ns = ms > 0 ? ms * std::int64_t{1'000'000} : 0;
  with_detail = debug_setting("scheddetail", 0) != 0;
  next_line = period_ns != 0 ? s.began_ns : k_forever;
}

std::int64_t next_schedtrace() noexcept { return next_line; }

void serve_schedtrace(scheduler& s) {
  const std::int64_t now = now_ns();
  if (now < next_line) return;
  next_line = now + period_ns;
  std::string text;
  describe_scheduler(s, with_detail, text);
  write_stderr(text);
}

}  // namespace pirn::rt
