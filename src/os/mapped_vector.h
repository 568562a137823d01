// A growing array that never calls the allocator: for reports made while some thread may have died inside malloc.
// Layer: os. Not thread-safe. What does not fit any more is left out, and overflowed() says so.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <type_traits>

#include "os/base.h"

namespace pirn::rt {

template <class T>
class mapped_vector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  mapped_vector() = default;
  mapped_vector(const mapped_vector&) = delete;
  mapped_vector& operator=(const mapped_vector&) = delete;
  ~mapped_vector() {
    if (data_ != nullptr) munmap(data_, bytes_);
  }

  bool push_back(const T& value) noexcept {
    if (size_ == bytes_ / sizeof(T) && !grow(size_ + 1)) return false;
    data_[size_++] = value;
    return true;
  }
  // False when there is no memory for that many.
  bool resize(std::size_t count) noexcept {
    if (count > bytes_ / sizeof(T) && !grow(count)) return false;
    size_ = count;
    return true;
  }
  void clear() noexcept { size_ = 0; }

  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool overflowed() const noexcept { return overflowed_; }
  T& operator[](std::size_t i) noexcept { return data_[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }

 private:
  bool grow(std::size_t count) noexcept {
    std::size_t bytes = bytes_ == 0 ? 16 * k_page : 2 * bytes_;
    if (bytes < count * sizeof(T)) bytes = (count * sizeof(T) + k_page - 1) / k_page * k_page;
    void* p = data_ == nullptr ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                               : mremap(data_, bytes_, bytes, MREMAP_MAYMOVE);
    if (p == MAP_FAILED) {
      overflowed_ = true;
      return false;
    }
    data_ = static_cast<T*>(p);
    bytes_ = bytes;
    return true;
  }

  T* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t size_ = 0;
  bool overflowed_ = false;
};

}  // namespace pirn::rt
