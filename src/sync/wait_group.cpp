// pirn::wait_group past its fast path. Layer: sync. The protocol: sync/countdown.h.
#include "pirn/sync/wait_group.h"

#include <stdexcept>

#include "sync/countdown.h"

namespace pirn {

using namespace pirn::rt;  // NOLINT: this file implements the public class over rt

namespace {
constexpr park_kind k_group_wait{"sync.WaitGroup.Wait", unlink_parked};
}

void wait_group::settle(int n, std::uint64_t after) {
  const auto counter = static_cast<std::int32_t>(after >> 32);
  const auto waiters = static_cast<std::uint32_t>(after);
  const std::uint64_t delta = static_cast<std::uint64_t>(static_cast<std::int64_t>(n)) << 32;
  if (counter < 0) {
    state_.fetch_sub(delta, std::memory_order_relaxed);
    throw std::logic_error("sync: negative WaitGroup counter");
  }
  if (waiters != 0 && n > 0 && counter == n) {
    state_.fetch_sub(delta, std::memory_order_relaxed);
    throw std::logic_error("sync: WaitGroup misuse: Add called concurrently with Wait");
  }
  if (counter == 0 && waiters != 0) wake_at_zero(state_, waiters);
}

void wait_group::wait_slow() { wait_for_zero(state_, k_group_wait, nullptr); }

std::error_code wait_group::wait(const pirn::context& ctx) {
  if (const std::error_code ended = ctx.err()) return ended;
  if ((state_.load(std::memory_order_acquire) >> 32) == 0) return {};
  if (wait_for_zero(state_, k_group_wait, detail::canceler_for_wait(ctx))) return {};
  return ctx.err();
}

}  // namespace pirn
