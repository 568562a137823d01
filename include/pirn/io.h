// Reading and writing over whatever has a read() or a write(): buffers, copying, a pipe between goroutines, lines.
// Layer: io.
//
// A reader has `std::size_t read(B)`: some bytes, at least one for a buffer that has room, 0 at the end. A writer has
// `write(D)`, which writes all. B is a view of bytes to be written to (mutable_bytes, std::span<std::byte> or of char),
// D one of bytes to be read (const_bytes, std::span<const ...>, std::string_view). Sockets, pipes and the types below
// are both or either; so is any type of the program's that has such a member.
//
// Errors: throwing forms and forms with a last parameter std::error_code&, as in pirn/net.h. Over a reader or writer
// whose own calls have no error form, a std::system_error that they throw becomes the code, others pass.
// Thread-safety: one goroutine at a time per object, except for pipes. What parks is the reader or writer beneath.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "pirn/bytes.h"

namespace pirn::io {

enum class io_errc {
  closed_pipe = 1,  // the other end, or this one, was closed
  line_too_long,    // longer than a scanner's limit
};
const std::error_category& io_category() noexcept;
inline std::error_code make_error_code(io_errc e) noexcept { return {static_cast<int>(e), io_category()}; }

}  // namespace pirn::io

template <>
struct std::is_error_code_enum<pirn::io::io_errc> : std::true_type {};

namespace pirn::io {

template <class R>
concept reader = requires(R& r, mutable_bytes b) {
  { r.read(b) } -> std::convertible_to<std::size_t>;
};
template <class W>
concept writer = requires(W& w, const_bytes b) { w.write(b); };

namespace detail {

[[noreturn]] void throw_error(std::error_code ec, const char* what);

template <class F>
auto or_throw(const char* what, F&& f) {
  std::error_code ec;
  if constexpr (std::is_void_v<decltype(f(ec))>) {
    f(ec);
    if (ec) throw_error(ec, what);
  } else {
    auto result = f(ec);
    if (ec) throw_error(ec, what);
    return result;
  }
}

// One read, by the error form where there is one.
template <reader R>
std::size_t read_some(R& r, mutable_bytes b, std::error_code& ec) {
  ec.clear();
  if constexpr (requires { r.read(b, ec); }) {
    return r.read(b, ec);
  } else {
    try {
      return r.read(b);
    } catch (const std::system_error& e) {
      ec = e.code();
      return 0;
    }
  }
}

template <writer W>
void write_all(W& w, const_bytes b, std::error_code& ec) {
  ec.clear();
  if constexpr (requires { w.write(b, ec); }) {
    w.write(b, ec);
  } else {
    try {
      w.write(b);
    } catch (const std::system_error& e) {
      ec = e.code();
    }
  }
}

}  // namespace detail

// Reads from `from` by large pieces and gives out small ones. Does not own `from`, which must outlive it.
template <reader R>
class buffered_reader {
 public:
  // `size`: bytes of the buffer, at least 1.
  explicit buffered_reader(R& from, std::size_t size = 16 * 1024)
      : from_(&from), buffer_(new std::byte[size == 0 ? 1 : size]), size_(size == 0 ? 1 : size) {}

  // What is buffered, else one read of `from`; a buffer as large as the own one is read into directly.
  std::size_t read(mutable_bytes b, std::error_code& ec) {
    ec.clear();
    if (b.empty()) return 0;
    if (begin_ == end_) {
      if (b.size() >= size_) return detail::read_some(*from_, b, ec);
      if (!fill(ec)) return 0;
    }
    const std::size_t n = b.size() < end_ - begin_ ? b.size() : end_ - begin_;
    std::memcpy(b.data(), buffer_.get() + begin_, n);
    begin_ += n;
    return n;
  }
  std::size_t read(mutable_bytes b) {
    return detail::or_throw("read", [&](std::error_code& ec) { return read(b, ec); });
  }

  // One byte; nothing at the end.
  std::optional<std::byte> read_byte(std::error_code& ec) {
    ec.clear();
    if (begin_ == end_ && !fill(ec)) return std::nullopt;
    return buffer_[begin_++];
  }
  std::optional<std::byte> read_byte() {
    return detail::or_throw("read", [&](std::error_code& ec) { return read_byte(ec); });
  }

  // Up to and with the first `delimiter`, or all that is left when there is none any more; empty at the end.
  std::string read_until(char delimiter, std::error_code& ec) {
    ec.clear();
    std::string text;
    while (begin_ != end_ || fill(ec)) {
      const std::byte* at = buffer_.get() + begin_;
      const void* found = std::memchr(at, delimiter, end_ - begin_);
      const std::size_t n =
          found == nullptr ? end_ - begin_ : static_cast<std::size_t>(static_cast<const std::byte*>(found) - at) + 1;
      text.append(reinterpret_cast<const char*>(at), n);
      begin_ += n;
      if (found != nullptr) break;
    }
    return text;
  }
  std::string read_until(char delimiter) {
    return detail::or_throw("read", [&](std::error_code& ec) { return read_until(delimiter, ec); });
  }

  // What is buffered and not read yet. Until the next call.
  const_bytes buffered() const noexcept { return {buffer_.get() + begin_, end_ - begin_}; }

 private:
  // False: the end, or an error.
  bool fill(std::error_code& ec) {
    begin_ = 0;
    end_ = 0;
    end_ = detail::read_some(*from_, mutable_bytes(buffer_.get(), size_), ec);
    return end_ != 0;
  }

  R* from_;
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t size_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// Collects what is written and passes it on by large pieces. Does not own `to`, which must outlive it. What has not
// been flushed when it is destroyed is lost: only flush() can say whether it arrived.
template <writer W>
class buffered_writer {
 public:
  explicit buffered_writer(W& to, std::size_t size = 16 * 1024)
      : to_(&to), buffer_(new std::byte[size == 0 ? 1 : size]), size_(size == 0 ? 1 : size) {}

  // Returns how much it has taken: all, unless there was an error. After one every call fails with it.
  std::size_t write(const_bytes b, std::error_code& ec) {
    if (failed_) {
      ec = failed_;
      return 0;
    }
    ec.clear();
    std::size_t done = 0;
    while (b.size() - done > size_ - used_) {
      if (used_ == 0) {  // nothing to be put in front of it
        pass_on(b.after(done), ec);
        return ec ? done : b.size();
      }
      const std::size_t n = size_ - used_;
      std::memcpy(buffer_.get() + used_, b.data() + done, n);
      used_ += n;
      done += n;
      flush(ec);
      if (ec) return done;
    }
    if (b.size() != done) std::memcpy(buffer_.get() + used_, b.data() + done, b.size() - done);
    used_ += b.size() - done;
    return b.size();
  }
  std::size_t write(const_bytes b) {
    return detail::or_throw("write", [&](std::error_code& ec) { return write(b, ec); });
  }

  void flush(std::error_code& ec) {
    ec = failed_;
    if (failed_ || used_ == 0) return;
    pass_on({buffer_.get(), used_}, ec);
    used_ = 0;
  }
  void flush() {
    detail::or_throw("flush", [&](std::error_code& ec) { flush(ec); });
  }

  std::size_t buffered() const noexcept { return used_; }

 private:
  void pass_on(const_bytes b, std::error_code& ec) {
    detail::write_all(*to_, b, ec);
    failed_ = ec;
  }

  W* to_;
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t size_;
  std::size_t used_ = 0;
  std::error_code failed_;
};

// Everything from `from` to `to`, until the end. Returns how many bytes were written.
template <writer W, reader R>
std::size_t copy(W& to, R& from, std::error_code& ec) {
  constexpr std::size_t k_piece = 32 * 1024;
  const std::unique_ptr<std::byte[]> piece(new std::byte[k_piece]);
  std::size_t done = 0;
  for (;;) {
    const std::size_t n = detail::read_some(from, mutable_bytes(piece.get(), k_piece), ec);
    if (ec || n == 0) return done;
    detail::write_all(to, const_bytes(piece.get(), n), ec);
    if (ec) return done;
    done += n;
  }
}
template <writer W, reader R>
std::size_t copy(W& to, R& from) {
  return detail::or_throw("copy", [&](std::error_code& ec) { return copy(to, from, ec); });
}

// Everything until the end. With an error, what had come until then.
template <reader R>
std::string read_all(R& from, std::error_code& ec) {
  std::string all;
  std::size_t used = 0;
  for (;;) {
    if (used == all.size()) all.resize(used < 512 ? 1024 : 2 * used);
    const std::size_t n = detail::read_some(from, mutable_bytes(all.data() + used, all.size() - used), ec);
    used += n;
    if (ec || n == 0) break;
  }
  all.resize(used);
  return all;
}
template <reader R>
std::string read_all(R& from) {
  return detail::or_throw("read", [&](std::error_code& ec) { return read_all(from, ec); });
}

// At most `limit` bytes of a reader; then the end. Does not own `from`.
template <reader R>
class limit_reader {
 public:
  limit_reader(R& from, std::size_t limit) noexcept : from_(&from), left_(limit) {}

  std::size_t read(mutable_bytes b, std::error_code& ec) {
    ec.clear();
    if (left_ == 0) return 0;
    const std::size_t n = detail::read_some(*from_, b.size() < left_ ? b : b.first(left_), ec);
    left_ -= n;
    return n;
  }
  std::size_t read(mutable_bytes b) {
    return detail::or_throw("read", [&](std::error_code& ec) { return read(b, ec); });
  }
  std::size_t left() const noexcept { return left_; }

 private:
  R* from_;
  std::size_t left_;
};

// Lines of a reader, without their "\n" or "\r\n"; the last one need not have any.
//   for (scanner lines(c); lines.scan();) use(lines.text());
template <reader R>
class scanner {
 public:
  // `longest`: bytes of a line; one that is longer is an error.
  explicit scanner(R& from, std::size_t longest = 64 * 1024) : from_(&from), longest_(longest) {}

  // Goes to the next line. False at the end, or with an error: the first form then throws it.
  bool scan(std::error_code& ec) {
    ec.clear();
    line_ = {};
    for (;;) {
      const std::size_t newline = buffer_.find('\n', seen_);
      if (newline < end_) return take(newline, newline + 1);
      seen_ = end_;
      if (end_ - begin_ > longest_ + 1) {
        ec = io_errc::line_too_long;
        return false;
      }
      if (!more(ec)) return !ec && begin_ != end_ && take(end_, end_);
    }
  }
  bool scan() {
    return detail::or_throw("scan", [&](std::error_code& ec) { return scan(ec); });
  }

  // The line. Until the next scan().
  std::string_view text() const noexcept { return line_; }

 private:
  bool take(std::size_t line_end, std::size_t next) noexcept {
    line_ = std::string_view(buffer_).substr(begin_, line_end - begin_);
    if (!line_.empty() && line_.back() == '\r') line_.remove_suffix(1);
    begin_ = next;
    seen_ = next;
    return true;
  }

  // What has been given out makes room first.
  bool more(std::error_code& ec) {
    if (begin_ != 0) {
      buffer_.erase(0, begin_);
      end_ -= begin_;
      seen_ -= begin_;
      begin_ = 0;
    }
    if (buffer_.size() - end_ < k_least) buffer_.resize(end_ < k_least ? 4 * k_least : 2 * end_ + k_least);
    const std::size_t n = detail::read_some(*from_, mutable_bytes(buffer_.data() + end_, buffer_.size() - end_), ec);
    end_ += n;
    return n != 0 && !ec;
  }

  static constexpr std::size_t k_least = 1024;
  R* from_;
  std::size_t longest_;
  std::string buffer_;  // [begin_, end_) is not given out yet, [begin_, seen_) has no newline
  std::size_t begin_ = 0;
  std::size_t seen_ = 0;
  std::size_t end_ = 0;
  std::string_view line_;
};

namespace detail {
struct pipe_state;
}

// The two ends of pipe(): what is written to one is read from the other, without a buffer in between. Closes itself.
// Thread-safety: the ends may be used, and closed, by different goroutines or threads; several writers take turns.
class pipe_reader {
 public:
  pipe_reader() noexcept = default;
  pipe_reader(pipe_reader&&) noexcept = default;
  pipe_reader& operator=(pipe_reader&& o) noexcept;
  ~pipe_reader();

  // Blocks: parks until somebody writes. 0 when the writing end was closed. Errors: io_errc::closed_pipe when this end
  // was; the error that the writing end was closed with.
  std::size_t read(mutable_bytes b);
  std::size_t read(mutable_bytes b, std::error_code& ec);
  // Writers fail with `why` from now on.
  void close(std::error_code why = io_errc::closed_pipe) noexcept;

 private:
  friend std::pair<pipe_reader, class pipe_writer> pipe();
  explicit pipe_reader(std::shared_ptr<detail::pipe_state> s) noexcept : state_(std::move(s)) {}
  std::shared_ptr<detail::pipe_state> state_;
};

class pipe_writer {
 public:
  pipe_writer() noexcept = default;
  pipe_writer(pipe_writer&&) noexcept = default;
  pipe_writer& operator=(pipe_writer&& o) noexcept;
  ~pipe_writer();

  // Blocks: parks until all has been read. Returns how much was. Errors: io_errc::closed_pipe, or what the reading end
  // was closed with.
  std::size_t write(const_bytes b);
  std::size_t write(const_bytes b, std::error_code& ec);
  // Readers get the end, or `why`, from now on.
  void close(std::error_code why = {}) noexcept;

 private:
  friend std::pair<pipe_reader, pipe_writer> pipe();
  explicit pipe_writer(std::shared_ptr<detail::pipe_state> s) noexcept : state_(std::move(s)) {}
  std::shared_ptr<detail::pipe_state> state_;
};

std::pair<pipe_reader, pipe_writer> pipe();

}  // namespace pirn::io
