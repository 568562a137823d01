// Views of bytes, as reading and writing take them: made from anything that lies in one piece and has elements of one
// byte (arrays, vectors and spans of char, unsigned char or std::byte; strings; string literals without their zero).
#pragma once

#include <cstddef>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace pirn {

namespace detail {

template <class T>
inline constexpr bool is_byte = std::is_same_v<T, char> || std::is_same_v<T, unsigned char> ||
                                std::is_same_v<T, signed char> || std::is_same_v<T, std::byte>;

// A range in one piece whose elements are bytes; `Element` is const for one that cannot be written to.
template <class R>
using byte_element_of = std::remove_pointer_t<decltype(std::data(std::declval<R&>()))>;
template <class R>
concept byte_range = requires(R& r) {
  std::data(r);
  std::size(r);
} && is_byte<std::remove_cv_t<byte_element_of<R>>>;

}  // namespace detail

// Bytes to be written to. Does not own them.
class mutable_bytes {
 public:
  constexpr mutable_bytes() noexcept = default;
  mutable_bytes(void* at, std::size_t size) noexcept : at_(static_cast<std::byte*>(at)), size_(size) {}
  template <class R>
    requires detail::byte_range<std::remove_reference_t<R>> &&
             (!std::is_const_v<detail::byte_element_of<std::remove_reference_t<R>>>) &&
             (!std::is_same_v<std::remove_cvref_t<R>, mutable_bytes>)
  mutable_bytes(R&& r) noexcept : mutable_bytes(std::data(r), std::size(r)) {}

  std::byte* data() const noexcept { return at_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  // REQUIRES: n <= size().
  mutable_bytes first(std::size_t n) const noexcept { return {at_, n}; }
  mutable_bytes after(std::size_t n) const noexcept { return {at_ + n, size_ - n}; }

  // So that a reader may take whichever span it likes.
  template <class T>
    requires detail::is_byte<T>
  operator std::span<T>() const noexcept {
    return {reinterpret_cast<T*>(at_), size_};
  }

 private:
  std::byte* at_ = nullptr;
  std::size_t size_ = 0;
};

// Bytes to be read. Does not own them.
class const_bytes {
 public:
  constexpr const_bytes() noexcept = default;
  const_bytes(const void* at, std::size_t size) noexcept : at_(static_cast<const std::byte*>(at)), size_(size) {}
  const_bytes(const char* text) noexcept : const_bytes(std::string_view(text)) {}
  template <class R>
    requires detail::byte_range<const std::remove_reference_t<R>> &&
             (!std::is_same_v<std::remove_cvref_t<R>, const_bytes>) && (!std::is_convertible_v<R &&, const char*>)
  const_bytes(R&& r) noexcept : const_bytes(std::data(r), std::size(r)) {}
  // An array of characters counts in full, zeros included; a literal is text.
  template <std::size_t N>
  const_bytes(char (&array)[N]) noexcept : const_bytes(static_cast<const void*>(array), N) {}

  const std::byte* data() const noexcept { return at_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  // REQUIRES: n <= size().
  const_bytes first(std::size_t n) const noexcept { return {at_, n}; }
  const_bytes after(std::size_t n) const noexcept { return {at_ + n, size_ - n}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(at_), size_}; }

  template <class T>
    requires detail::is_byte<T>
  operator std::span<const T>() const noexcept {
    return {reinterpret_cast<const T*>(at_), size_};
  }
  operator std::string_view() const noexcept { return text(); }

 private:
  const std::byte* at_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pirn
