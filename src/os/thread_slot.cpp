// The set of small numbers for threads. Layer: os.
#include "os/thread_slot.h"

#include <atomic>
#include <bit>
#include <cstdint>

namespace pirn::rt {

namespace {
static_assert(k_thread_slots == 64, "one bit each");
std::atomic<std::uint64_t> taken{0};
std::atomic<int> used{0};
}  // namespace

int take_thread_slot() noexcept {
  std::uint64_t seen = taken.load(std::memory_order_relaxed);
  int slot = 0;
  do {
    slot = std::countr_one(seen);
    if (slot == k_thread_slots) return -1;
    // acquire: pairs with the release below; the cells come with the number.
  } while (!taken.compare_exchange_weak(seen, seen | std::uint64_t{1} << slot, std::memory_order_acquire,
                                        std::memory_order_relaxed));
  int high = used.load(std::memory_order_relaxed);
  while (high <= slot && !used.compare_exchange_weak(high, slot + 1, std::memory_order_seq_cst)) {
  }
  return slot;
}

void give_thread_slot_back(int slot) noexcept {
  if (slot >= 0) taken.fetch_and(~(std::uint64_t{1} << slot), std::memory_order_release);
}

int thread_slots_used() noexcept { return used.load(std::memory_order_seq_cst); }

}  // namespace pirn::rt
