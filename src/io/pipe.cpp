// The pipe between goroutines, and the errors of this layer. Layer: io.
//
// A write offers its bytes where they lie; readers take from there, and the last of them lets the writer go. So what is
// offered is the stack's or heap's of a writer that waits: it is touched under the lock only, and the writer leaves
// only when it has taken the offer back, under the lock.
#include <mutex>
#include <string>

#include "pirn/io.h"
#include "pirn/sync/condition_variable.h"
#include "pirn/sync/mutex.h"

namespace pirn::io {

namespace {

class io_errors final : public std::error_category {
 public:
  const char* name() const noexcept override { return "pirn.io"; }
  std::string message(int value) const override {
    switch (static_cast<io_errc>(value)) {
      case io_errc::closed_pipe:
        return "read or write on closed pipe";
      case io_errc::line_too_long:
        return "line too long";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& io_category() noexcept {
  static const io_errors category;
  return category;
}

namespace detail {

void throw_error(std::error_code ec, const char* what) { throw std::system_error(ec, what); }

struct pipe_state {
  pirn::mutex turn;  // one writer at a time
  pirn::mutex mu;
  pirn::condition_variable changed;  // an offer, its end, or one of the two closed
  // Guarded by mu.
  const_bytes offer;
  bool offered = false;
  bool reader_closed = false;
  bool writer_closed = false;
  std::error_code for_reader;
  std::error_code for_writer;
};

}  // namespace detail

std::size_t pipe_reader::read(mutable_bytes b, std::error_code& ec) {
  ec.clear();
  if (state_ == nullptr) {
    ec = io_errc::closed_pipe;
    return 0;
  }
  if (b.empty()) return 0;
  detail::pipe_state& s = *state_;
  std::unique_lock hold(s.mu);
  while (!s.offered && !s.reader_closed && !s.writer_closed) s.changed.wait(hold);
  if (s.reader_closed) {
    ec = io_errc::closed_pipe;
    return 0;
  }
  if (!s.offered) {
    ec = s.for_reader;
    return 0;
  }
  const std::size_t n = b.size() < s.offer.size() ? b.size() : s.offer.size();
  if (n != 0) std::memcpy(b.data(), s.offer.data(), n);
  s.offer = s.offer.after(n);
  if (s.offer.empty()) {
    s.offered = false;
    s.changed.notify_all();
  }
  return n;
}

std::size_t pipe_reader::read(mutable_bytes b) {
  return detail::or_throw("read", [&](std::error_code& ec) { return read(b, ec); });
}

void pipe_reader::close(std::error_code why) noexcept {
  if (state_ == nullptr) return;
  const std::lock_guard hold(state_->mu);
  if (state_->reader_closed) return;
  state_->reader_closed = true;
  state_->for_writer = why ? why : make_error_code(io_errc::closed_pipe);
  state_->changed.notify_all();
}

std::size_t pipe_writer::write(const_bytes b, std::error_code& ec) {
  ec.clear();
  if (state_ == nullptr) {
    ec = io_errc::closed_pipe;
    return 0;
  }
  detail::pipe_state& s = *state_;
  const std::lock_guard mine(s.turn);
  std::unique_lock hold(s.mu);
  struct take_back {
    detail::pipe_state& s;
    ~take_back() { s.offered = false; }
  };
  if (!s.reader_closed && !s.writer_closed && !b.empty()) {
    s.offer = b;
    s.offered = true;
    const take_back at_end{s};
    s.changed.notify_all();
    while (s.offered && !s.reader_closed && !s.writer_closed) s.changed.wait(hold);
    if (!s.offered) return b.size();
  }
  if (s.writer_closed) ec = io_errc::closed_pipe;
  if (s.reader_closed) ec = s.for_writer;
  if (!ec) return 0;  // nothing to write
  return b.empty() ? 0 : b.size() - s.offer.size();
}

std::size_t pipe_writer::write(const_bytes b) {
  return detail::or_throw("write", [&](std::error_code& ec) { return write(b, ec); });
}

void pipe_writer::close(std::error_code why) noexcept {
  if (state_ == nullptr) return;
  const std::lock_guard hold(state_->mu);
  if (state_->writer_closed) return;
  state_->writer_closed = true;
  state_->for_reader = why;
  state_->changed.notify_all();
}

pipe_reader& pipe_reader::operator=(pipe_reader&& o) noexcept {
  close();
  state_ = std::move(o.state_);
  return *this;
}
pipe_reader::~pipe_reader() { close(); }

pipe_writer& pipe_writer::operator=(pipe_writer&& o) noexcept {
  close();
  state_ = std::move(o.state_);
  return *this;
}
pipe_writer::~pipe_writer() { close(); }

std::pair<pipe_reader, pipe_writer> pipe() {
  auto s = std::make_shared<detail::pipe_state>();
  return {pipe_reader(s), pipe_writer(s)};
}

}  // namespace pirn::io
