// Calls of the C library that sleep, unannounced, beside goroutines that compute: each lasts as long as was asked for,
// as no signal reaches a thread that sleeps. 300 of each kind, or 10 000 in the nightly form.
// Layer: tests of src/sched, through the public headers.
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <vector>

#include "support/nightly.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;
using std::chrono::microseconds;

// A pair of sockets that nobody writes to; receiving gives up after the given time.
class silence {
 public:
  explicit silence(microseconds patience) {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0);
    timeval t{};
    t.tv_usec = patience.count();
    EXPECT_EQ(setsockopt(ends_[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
  }
  silence(const silence&) = delete;
  silence& operator=(const silence&) = delete;
  ~silence() {
    close(ends_[0]);
    close(ends_[1]);
  }
  int end() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
};

// A call that lasts `asked`; what it returns when it lasted to its end, and as errno then. Some look for signals before
// they look whether their time is up: one that comes then, while they wait for a CPU, makes them return EINTR.
struct sleeping_call {
  microseconds asked;
  microseconds tick;  // of its clock: when one comes late, the kernel lets the sleep end early by as much
  int result;
  int error;
  bool may_say_interrupted;
  int (*call)(const silence&);
};

int call_usleep(const silence&) { return usleep(300); }
int call_nanosleep(const silence&) {
  const timespec t{0, 300'000};
  return nanosleep(&t, nullptr);
}
int call_poll(const silence& s) {
  pollfd p{s.end(), POLLIN, 0};
  return poll(&p, 1, 1);
}
int call_recv(const silence& s) {
  char c = 0;
  return static_cast<int>(recv(s.end(), &c, 1, 0));
}

constexpr sleeping_call k_calls[] = {{300us, 0us, 0, 0, false, call_usleep},
                                     {300us, 0us, 0, 0, false, call_nanosleep},
                                     {1000us, 0us, 0, 0, true, call_poll},
                                     {20ms, 10ms, -1, EAGAIN, true, call_recv}};

struct outcome {
  int cut = 0;        // by a signal, before its time was up
  int too_short = 0;  // by itself
  int other = 0;      // results that the call does not give when it lasts to its end
};

outcome make(const sleeping_call& c, int times) {
  const silence s(c.asked);
  outcome o;
  for (int i = 0; i < times; ++i) {
    const auto before = std::chrono::steady_clock::now();
    errno = 0;
    const int result = c.call(s);
    const int error = errno;
    const bool interrupted = result == -1 && error == EINTR;
    if (std::chrono::steady_clock::now() - before < c.asked - c.tick) ++(interrupted ? o.cut : o.too_short);
    if ((result != c.result || error != c.error) && !(interrupted && c.may_say_interrupted)) ++o.other;
  }
  return o;
}

class native_sleeps : public on_procs {};
PIRN_TEST_ON_PROCS(native_sleeps);

TEST_P(native_sleeps, last_as_long_as_asked_beside_goroutines_that_compute) {
  run([] {
    constexpr int k_sleepers = 10;  // of each kind
    std::atomic<bool> stop{false};
    pirn::wait_group hogs;
    for (int i = 0; i < GetParam() + 1; ++i) {
      hogs.go([&] {
        while (!stop.load(std::memory_order_relaxed)) {
        }
      });
    }
    std::vector<pirn::join_handle<outcome>> sleepers;
    for (const sleeping_call& c : k_calls) {
      for (int i = 0; i < k_sleepers; ++i) {
        sleepers.push_back(pirn::spawn([&c] { return make(c, times_for(300, 10'000) / k_sleepers); }));
      }
    }
    for (std::size_t i = 0; i < sleepers.size(); ++i) {
      const outcome o = sleepers[i].get();
      EXPECT_EQ(o.cut, 0) << "call " << i / k_sleepers;
      EXPECT_EQ(o.too_short, 0) << "call " << i / k_sleepers;
      EXPECT_EQ(o.other, 0) << "call " << i / k_sleepers;
    }
    stop = true;
    hogs.wait();
  });
}

}  // namespace
