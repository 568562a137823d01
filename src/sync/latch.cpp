// pirn::latch past its fast path. Layer: sync. The protocol: sync/countdown.h.
#include "pirn/sync/latch.h"

#include <stdexcept>

#include "sync/countdown.h"

namespace pirn {

using namespace pirn::rt;  // NOLINT: this file implements the public class over rt

namespace {
constexpr park_kind k_latch_wait{"latch wait", unlink_parked};

std::uint64_t counter(std::ptrdiff_t n) {
  if (n < 0 || n > latch::max()) throw std::invalid_argument("latch: count out of range");
  return static_cast<std::uint64_t>(n) << 32;
}
}  // namespace

latch::latch(std::ptrdiff_t expected) : state_(counter(expected)) {}

void latch::count_down(std::ptrdiff_t n) {
  if (n == 0) return;
  std::uint64_t seen = state_.load(std::memory_order_relaxed);
  std::uint64_t after = 0;
  do {
    if (n < 0 || static_cast<std::uint64_t>(n) > seen >> 32) throw std::logic_error("latch: counted down below zero");
    after = seen - (static_cast<std::uint64_t>(n) << 32);
    // acq_rel: whoever arrives last carries over what all before it did.
  } while (!state_.compare_exchange_weak(seen, after, std::memory_order_acq_rel, std::memory_order_relaxed));
  // Zero with nobody waiting, or not yet zero: the latch is touched no more.
  if (after != 0 && (after >> 32) == 0) wake_at_zero(state_, static_cast<std::uint32_t>(after));
}

void latch::wait_slow() const { wait_for_zero(state_, k_latch_wait, nullptr); }

std::error_code latch::wait(const pirn::context& ctx) const {
  if (const std::error_code ended = ctx.err()) return ended;
  if ((state_.load(std::memory_order_acquire) >> 32) == 0) return {};
  if (wait_for_zero(state_, k_latch_wait, detail::canceler_for_wait(ctx))) return {};
  return ctx.err();
}

}  // namespace pirn
