// Sampling a running goroutine by a signal to its thread. Layer: debug. Contract: debug/sample.h.
//
// One request at a time, in static memory, so that a handler that comes late finds it still there. Its state says who
// may touch it: free, asked (the asker may still withdraw), copying (the handler's), done or refused (the asker's).
// Orderings: [SA-1] asked: release, what was asked for; the handler's exchange acquires it. [SA-2] done, refused:
// release, what was copied; the asker's load acquires it.
#include "debug/sample.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "os/clock.h"
#include "os/futex.h"

namespace pirn::rt {

namespace {

constexpr int k_signal =
    SIGURG;  // ignored by default; used for little else, as its meaning (TCP's urgent data) is rare
constexpr std::size_t k_most_copied = 64 * 1024;

enum : std::uint32_t { free_to_use, asked, copying, done, refused };

struct request {
  std::atomic<std::uint32_t> state{free_to_use};
  const worker* of = nullptr;
  std::uint64_t id = 0;
  unwind_registers registers;
  std::uintptr_t low = 0;
  std::size_t bytes = 0;
  alignas(16) char copy[k_most_copied];
};

request current_request;
struct sigaction earlier;
bool installed = false;

bool copy_running(const worker* w, const ucontext_t& at) noexcept {
  request& r = current_request;
  const goroutine* g = w->current;
  if (g == nullptr || g->id != r.id || g->stk == nullptr) return false;
  r.registers = registers_of(at);
  const auto sp = r.registers.sp();
  const auto low = reinterpret_cast<std::uintptr_t>(g->stk->usable_low());
  const auto high = reinterpret_cast<std::uintptr_t>(g->stk->top());
  if (sp < low || sp >= high) return false;  // in the middle of a switch
  r.low = sp;
  r.bytes = std::min<std::size_t>(high - sp, k_most_copied);
  copy_stack(r.copy, reinterpret_cast<const char*>(sp), r.bytes);
  return true;
}

void on_signal(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  request& r = current_request;
  const worker* w = this_worker();
  std::uint32_t is = asked;
  if (w != nullptr && r.state.load(std::memory_order_acquire) == asked && r.of == w &&
      r.state.compare_exchange_strong(is, copying, std::memory_order_acquire)) {  // [SA-1]
    const bool ok = copy_running(w, *static_cast<const ucontext_t*>(context));
    r.state.store(ok ? done : refused, std::memory_order_release);  // [SA-2]
    futex_wake(r.state, 1);
  } else if ((earlier.sa_flags & SA_SIGINFO) != 0) {
    earlier.sa_sigaction(signal, info, context);
  } else if (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN) {
    earlier.sa_handler(signal);
  }
  errno = saved;
}

}  // namespace

void install_sampling() noexcept {
  if (installed) return;
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  installed = sigaction(k_signal, &action, &earlier) == 0;
}

void remove_sampling() noexcept {
  if (!installed) return;
  struct sigaction now {};
  // Whoever put a handler over this one calls it, perhaps; then it stays.
  if (sigaction(k_signal, nullptr, &now) != 0 || now.sa_sigaction != on_signal) return;
  sigaction(k_signal, &earlier, nullptr);
  installed = false;
}

namespace {

// "number, six arguments, stack pointer, pc", or "-1, stack pointer, pc" for a thread that sleeps in no system call, or
// "running". Source: proc(5), /proc/pid/syscall.
bool read_syscall_state(int tid, char (&text)[256]) noexcept {
  char path[64] = "/proc/self/task/";
  char* at = path + 16;
  char digits[12];
  int n = 0;
  for (int t = tid; t > 0; t /= 10) digits[n++] = static_cast<char>('0' + t % 10);
  while (n > 0) *at++ = digits[--n];
  __builtin_memcpy(at, "/syscall", 9);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  if (got <= 0) return false;
  text[got] = '\0';
  return text[0] != 'r';
}

// The last two numbers.
bool parse_syscall_state(const char* text, std::uintptr_t& sp, std::uintptr_t& pc) noexcept {
  int numbers = 0;
  for (const char* at = text; *at != '\0' && *at != '\n';) {
    char* end = nullptr;
    const unsigned long long v = std::strtoull(at, &end, 0);
    if (end == at) return false;
    sp = pc;
    pc = v;
    ++numbers;
    at = end;
  }
  return numbers >= 3;
}

}  // namespace

bool take_sleeping_sample(const worker* w, int tid, std::uint64_t id, running_sample& out) noexcept {
  char before[256];
  char after[256];
  std::uintptr_t sp = 0;
  std::uintptr_t pc = 0;
  if (!read_syscall_state(tid, before) || !parse_syscall_state(before, sp, pc)) return false;
  const goroutine* g = w->current;
  if (g == nullptr || g->id != id || g->stk == nullptr) return false;
  const auto low = reinterpret_cast<std::uintptr_t>(g->stk->usable_low());
  const auto high = reinterpret_cast<std::uintptr_t>(g->stk->top());
  if (sp < low || sp >= high) return false;
  request& r = current_request;
  r.low = sp;
  r.bytes = std::min<std::size_t>(high - sp, k_most_copied);
  copy_stack(r.copy, reinterpret_cast<const char*>(sp), r.bytes);
  // In the same call of the same goroutine all the while, or in one that looks alike.
  if (!read_syscall_state(tid, after) || std::strcmp(before, after) != 0 || w->current != g || g->id != id)
    return false;
  out.registers = {};
  out.registers.set(k_stack_pointer, sp);
  out.registers.pc = pc;
  out.stack = {r.low, r.low + r.bytes, r.copy, false};
  return true;
}

#ifdef PIRN_TSAN
// It puts handlers off until the thread next calls something it knows, by then perhaps on another goroutine's stack.
bool take_sample(const worker*, int, std::uint64_t, std::int64_t, running_sample&) noexcept { return false; }
#else
bool take_sample(const worker* w, int tid, std::uint64_t id, std::int64_t patience_ns, running_sample& out) noexcept {
  request& r = current_request;
  r.of = w;
  r.id = id;
  r.state.store(asked, std::memory_order_release);  // [SA-1]
  const std::int64_t until = now_ns() + patience_ns;
  bool sent = syscall(SYS_tgkill, getpid(), tid, k_signal) == 0;
  for (;;) {
    std::uint32_t is = r.state.load(std::memory_order_acquire);  // [SA-2]
    if (is == done || is == refused) {
      r.state.store(free_to_use, std::memory_order_relaxed);
      if (is == refused) return false;
      out.registers = r.registers;
      out.stack = {r.low, r.low + r.bytes, r.copy, false};
      return true;
    }
    if ((!sent || now_ns() >= until) && is == asked &&
        r.state.compare_exchange_strong(is, free_to_use, std::memory_order_acquire)) {
      return false;
    }
    sent = true;  // a copy that has begun is waited for
    futex_wait(r.state, is, until);
  }
}
#endif

}  // namespace pirn::rt
