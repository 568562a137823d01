// Visiting every goroutine in batches. Layer: debug. Contract: debug/snapshot.h.
#include "debug/snapshot.h"

#include <algorithm>

#include "debug/sample.h"
#include "os/clock.h"
#include "sched/stop.h"

namespace pirn::rt {

namespace {

constexpr std::int64_t k_batch_ns = 100'000;      // the world stands for about this long at a time
constexpr std::size_t k_most_copied = 32 * 1024;  // of one stack: some hundred frames
constexpr std::size_t k_batch_bytes = 1 << 20;
constexpr std::int64_t k_patience_ns = 5'000'000'000;
constexpr std::int64_t k_patience_dying_ns = 100'000'000;
constexpr std::int64_t k_sample_patience_ns = 100'000'000;
constexpr std::int64_t k_sample_patience_dying_ns = 1'000'000'000;

struct slab {
  goroutine* first;
  std::size_t count;
};

// A copied stack, to be walked when the world goes on.
struct copied {
  std::size_t record;
  machine_context ctx;
  std::uintptr_t low;
  std::size_t bytes;
  std::size_t at;  // in the buffer
};

// A goroutine that runs, to be asked when the world goes on.
struct running {
  std::size_t record;
  const worker* on;
  int tid;
};

class visitor {
 public:
  visitor(scheduler& s, const snapshot_options& o, snapshot& out) noexcept : s_(s), o_(o), out_(out) {}

  void run() noexcept {
    s_.goroutines.for_each_slab([this](goroutine* first, std::size_t n) { slabs_.push_back({first, n}); });
    if (!copies_.resize(k_batch_bytes)) return;
    const std::int64_t patience = o_.dying ? k_patience_dying_ns : k_patience_ns;
    while (slab_ < slabs_.size()) {
      self_ = this_worker();  // the caller may go on elsewhere between two batches
      world_stop stop(s_, self_);
      // Without the stop the process, which is about to die, may show a goroutine in two minds.
      if (!o_.stands_still && !gave_up_ && !stop.try_begin(now_ns() + patience)) {
        if (!o_.dying) return;
        gave_up_ = true;
      }
      const std::int64_t began = now_ns();
      visit_batch(began + k_batch_ns);
      stop.end();
      const std::int64_t took = now_ns() - began;
      ++out_.stops;
      out_.stopped_ns += took;
      out_.longest_stop_ns = std::max(out_.longest_stop_ns, took);
      walk_batch();
      if (o_.between != nullptr) o_.between();
    }
    std::sort(out_.goroutines.begin(), out_.goroutines.end(),
              [](const goroutine_record& a, const goroutine_record& b) { return a.id < b.id; });
  }

 private:
  void visit_batch(std::int64_t until) noexcept {
    used_ = 0;
    pending_.clear();
    running_.clear();
    constexpr std::size_t k_between_looks = 16;
    for (std::size_t n = 1; slab_ < slabs_.size(); ++n) {
      if (object_ == slabs_[slab_].count) {
        ++slab_;
        object_ = 0;
        continue;
      }
      if (used_ + k_most_copied > copies_.size()) return;
      visit(slabs_[slab_].first[object_++]);
      if (n % k_between_looks == 0 && !o_.stands_still && now_ns() >= until) return;
    }
  }

  void visit(const goroutine& g) noexcept {
    const g_state state = g.get_state();
    if (state != g_state::runnable && state != g_state::waiting && state != g_state::running) return;
    if (g.id == 0 || g.id == o_.leave_out) return;
    goroutine_record r;
    describe(g, r);
    const std::size_t record = out_.goroutines.size();
    if (state == g_state::waiting) {
      r.status = g.waits_for->reason;
      const auto now_ms = static_cast<std::uint32_t>((now_ns() - s_.began_ns) / 1'000'000);
      const std::uint32_t waited = now_ms - g.waits_since_ms;
      constexpr std::uint32_t k_minute = 60'000;
      r.minutes = waited / k_minute;
    } else {
      r.status = state == g_state::runnable ? "runnable" : "running";
    }
    if (state == g_state::running) {
      find_thread(g, r, record);
    } else if (g.stk == nullptr || g.ctx.pc == reinterpret_cast<void*>(&pirn_goroutine_entry)) {
      show_start(g, r);
    } else {
      copy(g, record);
    }
    out_.goroutines.push_back(r);
  }

  void find_thread(const goroutine& g, goroutine_record& r, std::size_t record) noexcept {
    r.no_stack = true;
    if (gave_up_) return;  // the list of workers may be growing
    for (const worker* w : s_.workers) {
      if (w->current != &g) continue;
      r.on = w;
      if ((w->in_call.load(std::memory_order_relaxed) & 1) != 0) r.status = "syscall";
      if (w != self_) running_.push_back({record, w, w->tid});
      return;
    }
  }

  // It has not begun: what it will call.
  void show_start(const goroutine& g, goroutine_record& r) noexcept {
    const auto pc = reinterpret_cast<std::uintptr_t>(g.slot.manage);
    r.first_frame = out_.frames.size();
    if (out_.frames.push_back({pc, 0, 0, pc, true, false})) r.frames = 1;
  }

  void copy(const goroutine& g, std::size_t record) noexcept {
    const auto sp = reinterpret_cast<std::uintptr_t>(g.ctx.sp);
    const auto low = reinterpret_cast<std::uintptr_t>(g.stk->usable_low());
    const auto high = reinterpret_cast<std::uintptr_t>(g.stk->top());
    if (sp < low || sp > high) return;
    const std::size_t bytes = std::min<std::size_t>(high - sp, k_most_copied);
    copy_stack(copies_.data() + used_, static_cast<const char*>(g.ctx.sp), bytes);
    pending_.push_back({record, g.ctx, sp, bytes, used_});
    used_ += bytes;
  }

  void walk_batch() noexcept {
    for (const copied& c : pending_) {
      stack_walk walk(registers_of(c.ctx), {c.low, c.low + c.bytes, copies_.data() + c.at, false}, true);
      collect_frames(walk, out_.frames, out_.goroutines[c.record]);
    }
    const std::int64_t patience = o_.dying ? k_sample_patience_dying_ns : k_sample_patience_ns;
    for (const running& r : running_) {
      goroutine_record& record = out_.goroutines[r.record];
      running_sample sample;
      // A signal would cut a sleep or a poll short; to a process that dies that is nothing.
      if (!(!o_.dying && take_sleeping_sample(r.on, r.tid, record.id, sample)) &&
          !take_sample(r.on, r.tid, record.id, patience, sample)) {
        continue;
      }
      record.no_stack = false;
      stack_walk walk(sample.registers, sample.stack, true);
      collect_frames(walk, out_.frames, record);
    }
  }

  scheduler& s_;
  const snapshot_options& o_;
  snapshot& out_;
  worker* self_ = nullptr;
  mapped_vector<slab> slabs_;
  mapped_vector<copied> pending_;
  mapped_vector<running> running_;
  mapped_vector<char> copies_;
  std::size_t used_ = 0;
  std::size_t slab_ = 0;
  std::size_t object_ = 0;
  bool gave_up_ = false;
};

}  // namespace

void take_snapshot(scheduler& s, const snapshot_options& options, snapshot& out) noexcept {
  visitor(s, options, out).run();
}

}  // namespace pirn::rt
