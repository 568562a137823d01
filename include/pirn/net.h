// Sockets in blocking style: what waits parks the goroutine only. Layer: net.
//
// Networks are named by text, as in Go: "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix", "unixgram". An address is
// "host:port", "[v6-address%zone]:port" or ":port"; for unix a path, or "@name" for the abstract namespace.
//
// Errors: every call that can fail throws std::system_error, or has a last parameter std::error_code& instead, which it
// sets, or clears. A deadline that has passed is std::errc::timed_out; use of, or waiting on, what was closed on this
// side is net_errc::closed; else the kernel's error, or that of the resolver.
// Thread-safety: different objects from any thread. One object: reading and writing at the same time, and deadlines and
// close() from anywhere at any time; two readers, or two writers, of one conn would mix their bytes.
// Threads that are no goroutines may use all of it; they block.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "pirn/bytes.h"
#include "pirn/clock.h"

namespace pirn::rt {
class pollable;
}

namespace pirn::net {

enum class net_errc {
  closed = 1,       // "use of closed network connection"
  unknown_network,  // not one of the names above, or not one that this call knows
  bad_address,      // no "host:port", or a port that there is not
  unexpected_end,   // the stream ended in the middle of what was to be read in full
};
const std::error_category& net_category() noexcept;
inline std::error_code make_error_code(net_errc e) noexcept { return {static_cast<int>(e), net_category()}; }
// Errors of getaddrinfo(3), such as that there is no such host.
const std::error_category& resolver_category() noexcept;

// For set_deadline(): never.
inline constexpr time_point no_deadline = time_point::max();

// An address of a socket as the kernel knows it.
class address {
 public:
  address() noexcept = default;

  // "127.0.0.1:80", "[::1]:80", a path, "@name"; empty for a unix socket without a name.
  std::string to_string() const;
  operator std::string() const { return to_string(); }
  // Of an IP address; else empty, and 0.
  std::string host() const;
  std::uint16_t port() const noexcept;
  bool empty() const noexcept { return size_ == 0; }

  friend bool operator==(const address& a, const address& b) noexcept {
    return a.size_ == b.size_ && __builtin_memcmp(a.storage_, b.storage_, a.size_) == 0;
  }

  // The bytes of a sockaddr.
  static address from_native(const void* sockaddr, std::size_t size) noexcept;
  const void* native() const noexcept { return storage_; }
  std::size_t native_size() const noexcept { return size_; }

 private:
  static constexpr std::size_t k_most = 112;  // sockaddr_un is the largest of those used, 110 bytes
  alignas(8) std::byte storage_[k_most]{};
  std::uint32_t size_ = 0;
};

namespace detail {

// A descriptor that its object closes. Empty when moved from.
class socket_handle {
 public:
  socket_handle() noexcept = default;
  explicit socket_handle(rt::pollable* p) noexcept : p_(p) {}
  socket_handle(socket_handle&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  socket_handle& operator=(socket_handle&& o) noexcept {
    socket_handle(std::move(o)).swap(*this);
    return *this;
  }
  ~socket_handle() {
    if (p_ != nullptr) release(p_);
  }
  void swap(socket_handle& o) noexcept { std::swap(p_, o.p_); }
  rt::pollable* get() const noexcept { return p_; }

 private:
  static void release(rt::pollable* p) noexcept;
  rt::pollable* p_ = nullptr;
};

// What every kind of socket has.
class socket_base {
 public:
  // Ends every call that waits on it, with net_errc::closed. It may still be open for a moment, until the last of them
  // has returned. Errors: net_errc::closed when it was closed before.
  void close();
  void close(std::error_code& ec) noexcept;

  // The descriptor, to set options of the socket by; -1 when there is none. It stays this object's: who closes it, or
  // makes it blocking, breaks this object.
  int native_handle() const noexcept;

 protected:
  static constexpr unsigned k_read = 1;
  static constexpr unsigned k_write = 2;
  socket_base() noexcept = default;
  explicit socket_base(rt::pollable* p) noexcept : handle_(p) {}
  rt::pollable* get() const noexcept { return handle_.get(); }
  void set(unsigned sides, time_point tp);
  void set(unsigned sides, time_point tp, std::error_code& ec);

 private:
  socket_handle handle_;
};

// One that is read and written.
class two_way_socket : public socket_base {
 public:
  // Calls that wait when it passes, and all later ones, fail with std::errc::timed_out until another one is set; one in
  // the past fails them at once, no_deadline never. Does not end with a call. Any clock.
  template <class Clock, class Duration>
  void set_deadline(const std::chrono::time_point<Clock, Duration>& tp) {
    set(k_read | k_write, pirn::detail::on_own_clock(tp));
  }
  template <class Clock, class Duration>
  void set_read_deadline(const std::chrono::time_point<Clock, Duration>& tp) {
    set(k_read, pirn::detail::on_own_clock(tp));
  }
  template <class Clock, class Duration>
  void set_write_deadline(const std::chrono::time_point<Clock, Duration>& tp) {
    set(k_write, pirn::detail::on_own_clock(tp));
  }
  template <class Clock, class Duration>
  void set_deadline(const std::chrono::time_point<Clock, Duration>& tp, std::error_code& ec) {
    set(k_read | k_write, pirn::detail::on_own_clock(tp), ec);
  }
  template <class Clock, class Duration>
  void set_read_deadline(const std::chrono::time_point<Clock, Duration>& tp, std::error_code& ec) {
    set(k_read, pirn::detail::on_own_clock(tp), ec);
  }
  template <class Clock, class Duration>
  void set_write_deadline(const std::chrono::time_point<Clock, Duration>& tp, std::error_code& ec) {
    set(k_write, pirn::detail::on_own_clock(tp), ec);
  }

 protected:
  using socket_base::socket_base;
};

}  // namespace detail

// A connection. Closes itself when destroyed. One that is default-constructed or moved from is closed.
class conn : public detail::two_way_socket {
 public:
  conn() noexcept = default;

  // Some bytes: at least one unless `buffer` is empty; 0 at the end of the stream. Of a datagram socket one datagram,
  // cut to the buffer. Blocks: parks until there are some; not for an empty buffer.
  std::size_t read(mutable_bytes buffer);
  std::size_t read(mutable_bytes buffer, std::error_code& ec);
  // All of `buffer`, or 0 when the stream ends before its first byte. Errors: net_errc::unexpected_end when it ends
  // after; what had come by the time of an error is in the buffer, and its length is returned by the second form.
  std::size_t read_full(mutable_bytes buffer);
  std::size_t read_full(mutable_bytes buffer, std::error_code& ec);

  // Writes all, and returns how much that is; with an error how much had been written until then. Blocks: parks while
  // the other side does not read. Never raises SIGPIPE.
  std::size_t write(const_bytes data);
  std::size_t write(const_bytes data, std::error_code& ec);
  // The same for several pieces, in one system call where the kernel takes them.
  std::size_t writev(std::span<const const_bytes> pieces);
  std::size_t writev(std::span<const const_bytes> pieces, std::error_code& ec);

  // Tells the other side that nothing more will come; reading goes on. Of streams.
  void close_write();
  void close_write(std::error_code& ec) noexcept;

  // Sends `data`, which is not empty, and with its first byte duplicates of the descriptors, at most 253. Unix sockets.
  void write_descriptors(std::span<const int> descriptors, const_bytes data);
  void write_descriptors(std::span<const int> descriptors, const_bytes data, std::error_code& ec);
  // As read(); puts descriptors that came with the bytes into `descriptors` and their number into `count`. They are
  // close-on-exec, and the caller's to close. What does not fit is closed, with std::errc::message_size.
  std::size_t read_descriptors(mutable_bytes buffer, std::span<int> descriptors, std::size_t& count);
  std::size_t read_descriptors(mutable_bytes buffer, std::span<int> descriptors, std::size_t& count,
                               std::error_code& ec);

  // Empty when closed, or not connected any more.
  address local_addr() const noexcept;
  address remote_addr() const noexcept;

  // Takes over a connected socket of the program's own, and makes it non-blocking. Errors: the kernel's; then it stays
  // the caller's.
  static conn from_native(int fd);
  static conn from_native(int fd, std::error_code& ec) noexcept;

 private:
  friend struct access;
  explicit conn(rt::pollable* p) noexcept : two_way_socket(p) {}
};

struct listen_options {
  int backlog = 0;          // connections that wait to be accepted; 0: as many as the system allows
  bool reuse_port = false;  // several listeners on one port share what comes (SO_REUSEPORT)
};

// Listens for connections. Any number of goroutines may accept from one.
class listener : public detail::socket_base {
 public:
  listener() noexcept = default;
  listener(listener&&) noexcept = default;
  listener& operator=(listener&& o) noexcept;
  ~listener();

  // The next connection. Blocks: parks until there is one. While the process, or the system, has no descriptor or
  // memory left for it, it waits a while (5 ms, ever longer, up to 100 ms) and tries again.
  conn accept();
  conn accept(std::error_code& ec);

  // Of accept(); see conn.
  template <class Clock, class Duration>
  void set_deadline(const std::chrono::time_point<Clock, Duration>& tp) {
    set(k_read, pirn::detail::on_own_clock(tp));
  }
  template <class Clock, class Duration>
  void set_deadline(const std::chrono::time_point<Clock, Duration>& tp, std::error_code& ec) {
    set(k_read, pirn::detail::on_own_clock(tp), ec);
  }

  address addr() const noexcept;
  // A unix socket's path is removed.
  void close();
  void close(std::error_code& ec) noexcept;

 private:
  friend struct access;
  explicit listener(rt::pollable* p) noexcept : socket_base(p) {}
  std::string unlink_path_;
};

// Sends and receives datagrams. Any number of goroutines may do either.
class packet_conn : public detail::two_way_socket {
 public:
  packet_conn() noexcept = default;

  // One datagram, cut to the buffer, and who sent it. It may be empty.
  std::size_t read_from(mutable_bytes buffer, address& from);
  std::size_t read_from(mutable_bytes buffer, address& from, std::error_code& ec);
  // As one datagram. Returns its size.
  std::size_t write_to(const_bytes data, const address& to);
  std::size_t write_to(const_bytes data, const address& to, std::error_code& ec);

  address local_addr() const noexcept;

 private:
  friend struct access;
  explicit packet_conn(rt::pollable* p) noexcept : two_way_socket(p) {}
};

// Connects. A name is resolved first, by getaddrinfo(3), while the goroutine's P goes to others; 64 at a time at most.
// Where it has addresses of both families, those of the second are tried 300 ms after the first, or when they have
// failed, and the faster connection is taken (RFC 8305). Connections have TCP_NODELAY, and keep-alive probes after 15 s
// of silence. Networks: tcp, tcp4, tcp6, udp, udp4, udp6, unix, unixgram.
conn dial(std::string_view network, std::string_view addr);
conn dial(std::string_view network, std::string_view addr, std::error_code& ec);
conn dial(std::string_view network, const address& addr);
conn dial(std::string_view network, const address& addr, std::error_code& ec);

// Listens. Port 0 is one of the system's choice (see listener::addr). Without a host on all addresses, with "tcp" those
// of both families. Networks: tcp, tcp4, tcp6, unix.
listener listen(std::string_view network, std::string_view addr, const listen_options& options = {});
listener listen(std::string_view network, std::string_view addr, std::error_code& ec);
listener listen(std::string_view network, std::string_view addr, const listen_options& options, std::error_code& ec);

// Networks: udp, udp4, udp6, unixgram. An empty address of unixgram is a socket without a name, which can only send.
packet_conn listen_packet(std::string_view network, std::string_view addr);
packet_conn listen_packet(std::string_view network, std::string_view addr, std::error_code& ec);

// The address of "host:port" that dial() would try first. Blocks as dial() does.
address resolve(std::string_view network, std::string_view addr);
address resolve(std::string_view network, std::string_view addr, std::error_code& ec);

}  // namespace pirn::net

namespace pirn {
using net::net_errc;
}

template <>
struct std::is_error_code_enum<pirn::net::net_errc> : std::true_type {};
