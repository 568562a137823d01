// Small numbers for threads, so that each can own a cell in tables that others sum up. Layer: os.
// A number belongs to one thread at a time; what it did to its cells happens before its successor's first access.
#pragma once

namespace pirn::rt {

inline constexpr int k_thread_slots = 64;

// The lowest free number; -1 when all are taken.
int take_thread_slot() noexcept;
// -1 is ignored.
void give_thread_slot_back(int slot) noexcept;
// One more than the highest number that was ever taken.
int thread_slots_used() noexcept;

}  // namespace pirn::rt
