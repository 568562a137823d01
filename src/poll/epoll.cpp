// The poller over epoll, edge-triggered. Layer: poll. Source: epoll(7), epoll_pwait2(2), eventfd(2).
//
// A descriptor is added once, for both directions, and never changed. The interruption is an eventfd, level-triggered,
// so that it is reported until the one that waits has read it [PO-4].
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "os/clock.h"
#include "os/futex.h"
#include "poll/poller.h"

namespace pirn::rt {

namespace {

constexpr std::uint64_t k_interruption = UINT64_MAX;  // no descriptor has this tag

std::uint32_t what_of(std::uint32_t events) noexcept {
  std::uint32_t what = 0;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) what |= k_poll_read;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) what |= k_poll_write;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) what |= k_poll_ended;
  return what;
}

class epoll_poller final : public poller {
 public:
  epoll_poller(int epoll, int event) noexcept : epoll_(epoll), event_(event) {}
  epoll_poller(const epoll_poller&) = delete;
  epoll_poller& operator=(const epoll_poller&) = delete;
  ~epoll_poller() override {
    close(epoll_);
    close(event_);
  }

  int add(int fd, std::uint64_t tag) noexcept override {
    epoll_event e{};
    e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    e.data.u64 = tag;
    return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &e) == 0 || errno == EEXIST ? 0 : errno;
  }

  void remove(int fd) noexcept override {
    epoll_event unused{};
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &unused);
  }

  int wait(poll_report* out, std::int64_t deadline_ns) noexcept override {
    epoll_event events[k_at_once];
    const int n = deadline_ns == 0 ? epoll_wait(epoll_, events, k_at_once, 0) : wait_until(events, deadline_ns);
    int reports = 0;
    for (int i = 0; i < n; ++i) {
      if (events[i].data.u64 != k_interruption) {
        out[reports++] = {events[i].data.u64, what_of(events[i].events)};
      } else if (deadline_ns != 0) {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t read_all = read(event_, &count, sizeof count);
      }
    }
    return reports;
  }

  void interrupt() noexcept override {
    const int saved = errno;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(event_, &one, sizeof one);  // full: it is reported as it is
    errno = saved;
  }

 private:
  // epoll_wait() counts in milliseconds. Where its successor is missing, poll() of the epoll descriptor does the
  // waiting.
  int wait_until(epoll_event* events, std::int64_t deadline_ns) noexcept {
    if (deadline_ns == k_forever) return epoll_wait(epoll_, events, k_at_once, -1);
    std::int64_t left = deadline_ns - now_ns();
    if (left < 0) left = 0;
    const timespec t{left / 1'000'000'000, left % 1'000'000'000};
    if (have_pwait2_) {
#ifdef SYS_epoll_pwait2
      const long n = syscall(SYS_epoll_pwait2, epoll_, events, k_at_once, &t, nullptr, 0);
      if (n >= 0 || errno == EINTR) return static_cast<int>(n);
#endif
      have_pwait2_ = false;
    }
    pollfd p{epoll_, POLLIN, 0};
    if (ppoll(&p, 1, &t, nullptr) <= 0) return 0;
    return epoll_wait(epoll_, events, k_at_once, 0);
  }

  const int epoll_;
  const int event_;
  bool have_pwait2_ = true;  // whoever waits with a deadline
};

}  // namespace

poller* new_epoll_poller() noexcept {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return nullptr;
  const int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.u64 = k_interruption;
  poller* p = nullptr;
  if (event >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, event, &e) == 0) {
    p = new (std::nothrow) epoll_poller(epoll, event);
    if (p == nullptr) errno = ENOMEM;
  }
  if (p == nullptr) {
    const int saved = errno;
    close(epoll);
    if (event >= 0) close(event);
    errno = saved;
  }
  return p;
}

}  // namespace pirn::rt
