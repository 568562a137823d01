// Signals that end a program: faults, and SIGQUIT. Layer: debug. Essay: docs/internals/reports.md.
//
// A fault in the guard of a goroutine's stack is the overflow of that stack and nothing else, whoever else has a
// handler. Any other fault belongs to the handler that was there before the run, if there was one; else it is reported
// when it happened on a goroutine, and left to the system when it did not. SIGQUIT may interrupt anything, so its
// handler only leaves word for sysmon, which holds nothing and waits for nobody.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "debug/reports.h"
#include "sched/entry.h"
#include "sched/reports.h"
#include "sched/spawn.h"

namespace pirn::rt {

namespace {

struct fatal_signal {
  int number;
  const char* name;
  const char* what;   // Go's line for it
  const char* panic;  // Go's text when the program's own code did it
  struct sigaction earlier {};
  bool ours = false;
};

fatal_signal faults[] = {
    {SIGSEGV, "SIGSEGV", "segmentation violation", "invalid memory address or nil pointer dereference"},
    {SIGBUS, "SIGBUS", "bus error", "invalid memory address or nil pointer dereference"},
    {SIGFPE, "SIGFPE", "floating-point exception", "integer divide error"},
    {SIGILL, "SIGILL", "illegal instruction", "illegal instruction"},
};
fatal_signal quit = {SIGQUIT, "SIGQUIT", "quit", ""};

// Handlers of SIGQUIT that have the scheduler in their hands; the end of a run waits for them.
std::atomic<int> quit_handlers{0};
std::atomic<bool> quit_asked{false};
std::atomic<std::uintptr_t> quit_pc{0};
std::atomic<int> quit_on{-1};

// A report made from where a fault happened may need a lock that the dead code holds, malloc's for one. It is written
// from the top, so what was known by then has been said.
constexpr unsigned k_report_seconds = 10;

void give_up(int) { _exit(2); }

void bound_report() noexcept {
  struct sigaction action {};
  action.sa_handler = give_up;
  sigaction(SIGALRM, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  alarm(k_report_seconds);
}

bool in_guard(const stack* stk, std::uintptr_t address) noexcept {
  return address >= reinterpret_cast<std::uintptr_t>(stk->base) &&
         address < reinterpret_cast<std::uintptr_t>(stk->usable_low());
}

// `from`: where the goroutine was, interrupted by a fault in its guard, or after it has come back without one.
[[noreturn]] void report_overflow(const stack& stk, const unwind_registers& from, bool interrupted) noexcept {
  begin_report();
  bound_report();
  {
    stderr_sink out;
    const auto low = reinterpret_cast<std::uintptr_t>(stk.usable_low());
    const auto high = reinterpret_cast<std::uintptr_t>(stk.top());
    const std::size_t usable = reinterpret_cast<std::uintptr_t>(stk.base) + stk.bytes - low;
    out << "runtime: goroutine stack exceeds " << stack_limit(usable) << "-byte limit\n";
    (out << "runtime: sp=").hex(from.sp());
    (out << " stack=[").hex(low);
    (out << ", ").hex(high) << "]\n";
    out << "fatal error: stack overflow\n";
    const trace_level level = report_level();
    if (level != trace_level::none) {
      if (interrupted) {
        out << "\n";
        write_runtime_stack(out);
      }
      write_this_goroutine(out, from, interrupted, trace_level::system, false);
      if (level >= trace_level::all) write_other_goroutines(out, false, level);
    }
  }
  exit_after_report();
}

[[noreturn]] void report_fault(const fatal_signal& f, const siginfo_t& info, const ucontext_t& at,
                               bool inside) noexcept {
  begin_report();
  bound_report();
  const unwind_registers r = registers_of(at);
  {
    stderr_sink out;
    if (inside) {
      out << "fatal error: unexpected signal during runtime execution\n";
    } else {
      out << "panic: runtime error: " << f.panic << "\n";
    }
    (out << "[signal " << f.name << ": " << f.what << " code=").hex(static_cast<unsigned>(info.si_code));
    (out << " addr=").hex(reinterpret_cast<std::uintptr_t>(info.si_addr));
    (out << " pc=").hex(r.pc) << "]\n";
    const trace_level level = report_level();
    if (level != trace_level::none) {
      write_this_goroutine(out, r, true, level, false);
      if (level >= trace_level::all) write_other_goroutines(out, false, level);
    }
  }
  exit_after_report();
}

bool has_handler(const struct sigaction& a) noexcept {
  return (a.sa_flags & SA_SIGINFO) != 0 || (a.sa_handler != SIG_DFL && a.sa_handler != SIG_IGN);
}

void call_earlier(const struct sigaction& a, int signal, siginfo_t* info, void* context) {
  if ((a.sa_flags & SA_SIGINFO) != 0) {
    a.sa_sigaction(signal, info, context);
  } else {
    a.sa_handler(signal);
  }
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const auto& at = *static_cast<const ucontext_t*>(context);
  fatal_signal* f = faults;
  while (f->number != signal) ++f;
  const worker* w = this_worker();
  const goroutine* g = w != nullptr ? w->current : nullptr;
  const stack* stk = g != nullptr ? g->stk : nullptr;
  const bool by_fault = info->si_code > 0;  // by an instruction, not by kill(2)
  if (stk != nullptr && by_fault && signal != SIGFPE && signal != SIGILL &&
      in_guard(stk, reinterpret_cast<std::uintptr_t>(info->si_addr))) {
    report_overflow(*stk, registers_of(at), true);
  }
  if (has_handler(f->earlier)) {
    call_earlier(f->earlier, signal, info, context);
  } else if (stk != nullptr && by_fault) {
    report_fault(*f, *info, at, w->inside.load(std::memory_order_relaxed) != 0);
  } else {
    // The instruction faults again, and the system does what it would have done.
    sigaction(signal, &f->earlier, nullptr);
    if (!by_fault) syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
  }
  errno = saved;
}

void on_quit(int, siginfo_t*, void* context) {
  const int saved = errno;
  const worker* w = this_worker();
  quit_pc.store(registers_of(*static_cast<const ucontext_t*>(context)).pc, std::memory_order_relaxed);
  quit_on.store(w != nullptr ? w->index : -1, std::memory_order_relaxed);
  // seq_cst with the end of a run: it sees this handler, or this handler sees no scheduler.
  quit_handlers.fetch_add(1, std::memory_order_seq_cst);
  if (scheduler* s = the_scheduler.load(std::memory_order_seq_cst)) {
    quit_asked.store(true, std::memory_order_release);
    s->sysmon_event.signal();
  }
  quit_handlers.fetch_sub(1, std::memory_order_release);
  errno = saved;
}

void install(fatal_signal& f, void (*handler)(int, siginfo_t*, void*)) noexcept {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  f.ours = sigaction(f.number, &action, &f.earlier) == 0;
}

// Only what is still ours: the program may have put a handler of its own there meanwhile.
void remove(fatal_signal& f, void (*handler)(int, siginfo_t*, void*)) noexcept {
  struct sigaction now {};
  if (!f.ours || sigaction(f.number, nullptr, &now) != 0) return;
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == handler) sigaction(f.number, &f.earlier, nullptr);
  f.ours = false;
}

constexpr std::size_t k_signal_stack = 128 * 1024;

// At the high end of a stack that was made here: what the thread had before.
stack_t* earlier_stack(void* made) noexcept {
  return reinterpret_cast<stack_t*>(static_cast<char*>(made) + k_signal_stack) - 1;
}

}  // namespace

void report_stack_overflow(const stack& stk) noexcept { report_overflow(stk, registers_here(), false); }

void install_signals() noexcept {
  for (fatal_signal& f : faults) install(f, on_fault);
  struct sigaction now {};
  // A program that handles or ignores it means to.
  if (sigaction(SIGQUIT, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL) {
    install(quit, on_quit);
  }
}

void remove_signals() noexcept {
  for (fatal_signal& f : faults) remove(f, on_fault);
  remove(quit, on_quit);
  while (quit_handlers.load(std::memory_order_seq_cst) != 0) sched_yield();
  quit_asked.store(false, std::memory_order_relaxed);
}

void serve_quit(scheduler&) noexcept {
  if (!quit_asked.load(std::memory_order_acquire)) return;
  begin_report();
  {
    stderr_sink out;
    (out << "SIGQUIT: quit\nPC=").hex(quit_pc.load(std::memory_order_relaxed));
    out << " m=" << quit_on.load(std::memory_order_relaxed) << " sigcode=0\n";
    out.flush();
    if (report_level() != trace_level::none) write_other_goroutines(out, true, report_level());
  }
  exit_after_report();
}

void attach_reports(worker* w) noexcept {
  w->tid = static_cast<int>(syscall(SYS_gettid));
  // One that the program or a sanitizer gave the thread serves as well if it is large enough.
  stack_t now{};
  if (sigaltstack(nullptr, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0 && now.ss_size >= k_signal_stack / 2) return;
  void* p = mmap(nullptr, k_signal_stack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return;
  mprotect(p, k_page, PROT_NONE);
  *earlier_stack(p) = now;
  const stack_t wanted{p, 0, k_signal_stack - k_cache_line};
  if (sigaltstack(&wanted, nullptr) != 0) {
    munmap(p, k_signal_stack);
    return;
  }
  w->signal_stack = p;
}

void detach_reports(worker* w) noexcept {
  if (w->signal_stack == nullptr) return;
  stack_t now{};
  if (sigaltstack(nullptr, &now) == 0 && now.ss_sp == w->signal_stack) {
    sigaltstack(earlier_stack(w->signal_stack), nullptr);
  }
  munmap(w->signal_stack, k_signal_stack);
  w->signal_stack = nullptr;
}

}  // namespace pirn::rt
