// What walks a goroutine's stack from the inside: the unwinder and the chain of frame pointers end at its first frame,
// before and after waits. Exceptions are in g/exceptions_test.cpp. Layer: tests of src/g, through the public headers.
#include <unwind.h>

#include <atomic>
#include <type_traits>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class unwinding : public on_procs {};
PIRN_TEST_ON_PROCS(unwinding);

struct walk {
  int frames = 0;
  _Unwind_Reason_Code end = _URC_NO_REASON;
};

constexpr int k_far_too_many = 1000;

_Unwind_Reason_Code count_frame(_Unwind_Context*, void* arg) {
  int& frames = *static_cast<int*>(arg);
  return ++frames < k_far_too_many ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

[[gnu::noinline]] walk by_unwinder() {
  walk w;
  w.end = _Unwind_Backtrace(count_frame, &w.frames);
  return w;
}

// Both ABIs keep the caller's frame pointer where the frame pointer points at.
[[gnu::noinline]] int by_frame_pointers() {
  int frames = 0;
  auto* fp = static_cast<void**>(__builtin_frame_address(0));
  while (fp != nullptr && frames < k_far_too_many) {
    fp = static_cast<void**>(*fp);
    ++frames;
  }
  return frames;
}

template <class F>
[[gnu::noinline]] std::invoke_result_t<F> at_depth(int depth, F f) {
  std::atomic<int> keeps_the_frame{depth};  // no tail call
  const auto result = depth == 0 ? f() : at_depth(depth - 1, f);
  keeps_the_frame.store(0);
  return result;
}

TEST_P(unwinding, ends_at_the_first_frame) {
  run([] {
    pirn::spawn([] {
      const walk shallow = at_depth(0, by_unwinder);
      EXPECT_EQ(shallow.end, _URC_END_OF_STACK);
      EXPECT_LT(shallow.frames, 50);
      const walk deep = at_depth(20, by_unwinder);
      EXPECT_EQ(deep.end, _URC_END_OF_STACK);
      EXPECT_EQ(deep.frames, shallow.frames + 20);
    }).get();
  });
}

TEST_P(unwinding, by_frame_pointers_ends_there_too) {
  run([] {
    pirn::spawn([] {
      const int shallow = at_depth(0, by_frame_pointers);
      EXPECT_LT(shallow, 50);
      EXPECT_EQ(at_depth(20, by_frame_pointers), shallow + 20);
    }).get();
  });
}

TEST_P(unwinding, finds_the_same_after_waits) {
  run([] {
    std::vector<pirn::join_handle<void>> all;
    for (int i = 0; i < 20; ++i) {
      all.push_back(pirn::spawn([i] {
        at_depth(i, [] {
          const walk before = by_unwinder();
          let_others_run(5);
          const walk after = by_unwinder();
          EXPECT_EQ(after.end, _URC_END_OF_STACK);
          EXPECT_EQ(after.frames, before.frames);
          return 0;
        });
      }));
    }
    for (auto& h : all) h.get();
  });
}

// A stack is used again by goroutines that follow on it: the walk still ends at its beginning.
TEST_P(unwinding, on_a_stack_that_had_others_before) {
  run([] {
    pirn::wait_group wg;
    for (int i = 0; i < scaled(200); ++i) {
      wg.go([] { EXPECT_EQ(by_unwinder().end, _URC_END_OF_STACK); });
    }
    wg.wait();
  });
}

}  // namespace
