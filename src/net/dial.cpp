// Connecting. Layer: net. Source: connect(2), RFC 8305.
//
// A socket connects without blocking and is ready for writing when it is done. Where a host has addresses of both
// families two goroutines try one family each; the first that succeeds closes what the other has open.
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>

#include "net/socket.h"
#include "pirn/chan.h"
#include "pirn/go.h"
#include "pirn/select.h"
#include "pirn/sync/mutex.h"
#include "pirn/time.h"
#include "sched/worker.h"

namespace pirn::net {

namespace {

constexpr std::chrono::milliseconds k_head_start{300};

// Those who try addresses at the same time, and the sockets that they have open: whoever wins closes the others'.
struct race {
  pirn::mutex mu;
  // Guarded by mu.
  bool over = false;
  pollable* open[2] = {};
};

// One lane of a race; without one there is nobody to be stopped by.
struct lane {
  race* of = nullptr;
  int number = 0;

  // False: the race is over.
  bool enter(pollable* p) const {
    if (of == nullptr) return true;
    const std::lock_guard hold(of->mu);
    if (of->over) return false;
    of->open[number] = p;
    return true;
  }
  void leave() const {
    if (of == nullptr) return;
    const std::lock_guard hold(of->mu);
    of->open[number] = nullptr;
  }
};

PIRN_NOINLINE long try_connect(int fd, const address& a) noexcept {
  return connect(fd, native(a), static_cast<socklen_t>(a.native_size())) == 0 ? 0 : -errno;
}

// Whether a connection that was begun has come about; -EAGAIN: not yet.
PIRN_NOINLINE long look_at_connection(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return -errno;
  if (error != 0) return -error;
  sockaddr_storage peer{};
  size = sizeof peer;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) return 0;
  return errno == ENOTCONN ? -EAGAIN : -errno;
}

// A socket that connects to a port of this machine that nobody listens on may be given that very port, and then meets
// itself.
bool met_itself(const pollable* p) noexcept { return name_of(p, false) == name_of(p, true); }

// A unix socket whose listener has no room does not tell when it has: this asks again.
bool wait_for_room(std::chrono::milliseconds& pause) {
  constexpr std::chrono::milliseconds k_longest{50};
  sleep_for(pause);
  pause = std::min(2 * pause, k_longest);
  return true;
}

bool finish_connecting(pollable* p, const address& to, std::error_code& ec) {
  const pollable::use u(p);
  std::chrono::milliseconds pause{1};
  long done = try_connect(p->fd(), to);
  while (done == -EAGAIN && family_of(to) == AF_UNIX && u && wait_for_room(pause)) done = try_connect(p->fd(), to);
  if (done == 0) return true;
  if (done != -EINPROGRESS && done != -EINTR) {
    ec = system_error_code(static_cast<int>(-done));
    return false;
  }
  return attempt(u, poll_side::write, ec, look_at_connection, true) >= 0;
}

pollable* connect_to(const network& n, const address& to, const lane& l, std::error_code& ec) {
  for (int tries = 0; tries < 3; ++tries) {
    ec.clear();
    const int fd = open_socket(family_of(to), n.type, ec);
    if (fd < 0) return nullptr;
    if (n.type == SOCK_STREAM && !n.is_unix()) set_tcp_defaults(fd);
    pollable* p = adopt_socket(fd, n.type == SOCK_STREAM, ec);
    if (p == nullptr) return nullptr;
    if (!l.enter(p)) {
      p->release();
      ec = net_errc::closed;
      return nullptr;
    }
    const bool connected = finish_connecting(p, to, ec);
    l.leave();
    if (connected && (n.type != SOCK_STREAM || n.is_unix() || !met_itself(p))) return p;
    p->release();
    if (!connected) return nullptr;
    ec = std::make_error_code(std::errc::connection_refused);
  }
  return nullptr;
}

// One after the other; the first error is that of the address that was thought best.
pollable* connect_in_turn(const network& n, const std::vector<address>& all, const lane& l, std::error_code& ec) {
  std::error_code first;
  for (const address& a : all) {
    std::error_code error;
    if (pollable* p = connect_to(n, a, l, error)) {
      ec.clear();
      return p;
    }
    if (!first) first = error;
    if (error == net_errc::closed) break;
  }
  ec = first;
  return nullptr;
}

struct finish {
  int number = 0;
  pollable* p = nullptr;
  std::error_code ec;
};

// What both lanes and the judge share; they end at different times.
struct heat {
  network n;
  std::vector<address> lists[2];
  race r;
  chan<finish> line{2};  // has room for both: nobody waits to tell
};

void run_lane(const std::shared_ptr<heat>& h, int number) {
  finish f;
  f.number = number;
  f.p = connect_in_turn(h->n, h->lists[number], {&h->r, number}, f.ec);
  bool late = false;
  {
    const std::lock_guard hold(h->r.mu);
    late = h->r.over;
    if (!late) h->line.try_send(f);
  }
  if (late && f.p != nullptr) f.p->release();
}

void end_race(heat& h) {
  {
    const std::lock_guard hold(h.r.mu);
    h.r.over = true;
    for (pollable* p : h.r.open) {
      if (p != nullptr) p->close(true);
    }
  }
  while (auto late = h.line.try_recv().value) {
    if (late->p != nullptr) late->p->release();
  }
}

pollable* connect_racing(const network& n, std::vector<address> first, std::vector<address> second,
                         std::error_code& ec) {
  auto h = std::make_shared<heat>();
  h->n = n;
  h->lists[0] = std::move(first);
  h->lists[1] = std::move(second);
  struct judge {
    heat& h;
    ~judge() { end_race(h); }
  } at_end{*h};
  go([h] { run_lane(h, 0); });
  int running = 1;
  bool second_started = false;
  timer head_start(k_head_start);
  std::error_code errors[2];
  while (running > 0) {
    std::optional<finish> f;
    const bool came = select(recv(h->line, f), recv(head_start.channel())) == 0;
    if (came) {
      --running;
      if (f->p != nullptr) {
        ec.clear();
        return f->p;
      }
      errors[f->number] = f->ec;
    }
    if (!second_started) {
      second_started = true;
      ++running;
      go([h] { run_lane(h, 1); });
    }
  }
  ec = errors[0];
  return nullptr;
}

pollable* connect_to_any(const network& n, const std::vector<address>& all, std::error_code& ec) {
  const int best = family_of(all.front());
  std::vector<address> first;
  std::vector<address> second;
  for (const address& a : all) (family_of(a) == best ? first : second).push_back(a);
  if (second.empty() || rt::this_worker() == nullptr || n.type != SOCK_STREAM) return connect_in_turn(n, all, {}, ec);
  return connect_racing(n, std::move(first), std::move(second), ec);
}

}  // namespace

conn dial(std::string_view network_name, std::string_view addr, std::error_code& ec) {
  ec.clear();
  network n;
  if (!find_network(network_name, n, ec)) return {};
  const std::vector<address> all = resolve_all(n, addr, false, ec);
  if (all.empty()) return {};
  return access::make_conn(connect_to_any(n, all, ec));
}

conn dial(std::string_view network_name, const address& addr, std::error_code& ec) {
  ec.clear();
  network n;
  if (!find_network(network_name, n, ec)) return {};
  return access::make_conn(connect_to(n, addr, {}, ec));
}

conn dial(std::string_view network_name, std::string_view addr) {
  return or_throw("dial", [&](std::error_code& ec) { return dial(network_name, addr, ec); });
}

conn dial(std::string_view network_name, const address& addr) {
  return or_throw("dial", [&](std::error_code& ec) { return dial(network_name, addr, ec); });
}

}  // namespace pirn::net
