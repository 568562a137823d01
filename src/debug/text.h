// Where a report's text goes: standard error, through a small buffer and write(2) alone, or a string. Layer: debug.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "os/fatal.h"

namespace pirn::rt {

class text_sink {
 public:
  virtual void put(std::string_view text) = 0;

  text_sink& operator<<(std::string_view text) {
    put(text);
    return *this;
  }
  text_sink& operator<<(const char* text) { return *this << std::string_view(text); }
  text_sink& operator<<(std::uint64_t n) {
    char digits[20];
    std::size_t at = sizeof digits;
    do {
      digits[--at] = static_cast<char>('0' + n % 10);
      n /= 10;
    } while (n != 0);
    return *this << std::string_view(digits + at, sizeof digits - at);
  }
  text_sink& operator<<(std::int64_t n) {
    if (n < 0) *this << "-";
    return *this << (n < 0 ? 0 - static_cast<std::uint64_t>(n) : static_cast<std::uint64_t>(n));
  }
  text_sink& operator<<(int n) { return *this << static_cast<std::int64_t>(n); }
  text_sink& operator<<(unsigned n) { return *this << static_cast<std::uint64_t>(n); }
  // "0x" and the number.
  text_sink& hex(std::uint64_t n) {
    char digits[16];
    std::size_t at = sizeof digits;
    do {
      digits[--at] = "0123456789abcdef"[n % 16];
      n /= 16;
    } while (n != 0);
    return *this << "0x" << std::string_view(digits + at, sizeof digits - at);
  }

 protected:
  ~text_sink() = default;
};

class stderr_sink final : public text_sink {
 public:
  stderr_sink() = default;
  stderr_sink(const stderr_sink&) = delete;
  stderr_sink& operator=(const stderr_sink&) = delete;
  ~stderr_sink() { flush(); }
  void put(std::string_view text) override {
    if (text.size() > sizeof buffer_ - used_) flush();
    if (text.size() > sizeof buffer_) {
      write_stderr(text);
      return;
    }
    used_ += text.copy(buffer_ + used_, text.size());
  }
  void flush() noexcept {
    write_stderr({buffer_, used_});
    used_ = 0;
  }

 private:
  char buffer_[1024];
  std::size_t used_ = 0;
};

class string_sink final : public text_sink {
 public:
  explicit string_sink(std::string& to) : to_(to) {}
  void put(std::string_view text) override { to_ += text; }

 private:
  std::string& to_;
};

}  // namespace pirn::rt
