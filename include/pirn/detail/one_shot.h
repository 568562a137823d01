// How a goroutine and its handle tell each other that they are done. Internal to the headers.
// Layer: sync.
#pragma once

#include <atomic>
#include <cstdint>
#include <system_error>

namespace pirn {
class context;
namespace rt {
struct goroutine;
}
}  // namespace pirn

namespace pirn::detail {

// One word for both: has the goroutine ended, does the handle wait for that, was the handle dropped? Whoever is second
// to end is told so, and owns what the two share.
class one_shot {
 public:
  // The handle's side, one caller at a time.
  bool is_set() const noexcept { return state_.load(std::memory_order_acquire) == k_set; }
  // Parks until set; what came before set() is visible then.
  void wait();
  // The same until ctx ends: then its error.
  std::error_code wait(const context& ctx);
  // Nobody will wait any more. True: it was set before, the caller is the last.
  [[nodiscard]] bool drop() noexcept {
    // acq_rel: the last one sees, and may destroy, all that the other side left.
    return state_.exchange(k_dropped, std::memory_order_acq_rel) == k_set;
  }

  // The goroutine's side, once. Wakes who waits. Never parks. True: dropped before, the caller is the last; else *this
  // is the handle's from then on, and is not touched.
  [[nodiscard]] bool set() noexcept;

 private:
  struct joiner;
  struct cancelable_joiner;
  static constexpr std::uintptr_t k_running = 0;
  static constexpr std::uintptr_t k_set = 1;
  static constexpr std::uintptr_t k_dropped = 2;
  bool publish(joiner& j) noexcept;
  static void publish_parked(void* j) noexcept;
  static bool publish_unless_canceled(cancelable_joiner& j) noexcept;
  static void publish_parked_unless_canceled(void* j) noexcept;
  static bool unlink(rt::goroutine* g, void* j) noexcept;

  std::atomic<std::uintptr_t> state_{k_running};  // or the address of the joiner that waits
};

}  // namespace pirn::detail
