// The meeting of those who wait for a descriptor with reports, and reports that come too late.
// Layer: tests of src/poll, white-box. The goroutines here never run: they only stand in lists.
#include "poll/poll_desc.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <vector>

#include "os/clock.h"

namespace {

using namespace pirn::rt;

struct held_desc {
  poll_desc* d = take_poll_desc();
  ~held_desc() { release_poll_desc(d); }
  poll_desc* operator->() const { return d; }
  poll_desc& operator*() const { return *d; }
};

bool begin_wait(poll_desc& d, poll_side s, poll_waiter& w) {
  const std::lock_guard hold(d.mu);
  return begin_wait_locked(d, s, w);
}

ready_list report(std::uint64_t tag, std::uint32_t what) {
  const poll_report r{tag, what};
  ready_list out;
  deliver(&r, 1, out);
  return out;
}

TEST(poll_desc, report_finds_who_waits) {
  const held_desc d;
  goroutine g;
  poll_waiter w;
  w.g = &g;
  ASSERT_TRUE(begin_wait(*d, poll_side::read, w));
  EXPECT_EQ(report(d->tag(), k_poll_write).count, 0U);
  const ready_list out = report(d->tag(), k_poll_read);
  EXPECT_EQ(out.count, 1U);
  EXPECT_EQ(out.first, &g);
  EXPECT_FALSE(w.queued);
  EXPECT_EQ(w.why, poll_result::try_again);
}

TEST(poll_desc, report_that_comes_first_is_kept_for_one_wait) {
  const held_desc d;
  poll_waiter w;
  EXPECT_EQ(report(d->tag(), k_poll_read).count, 0U);
  EXPECT_FALSE(begin_wait(*d, poll_side::read, w));
  EXPECT_EQ(w.why, poll_result::try_again);
  EXPECT_EQ(report(d->tag(), k_poll_read).count, 0U);
  forget_ready(*d, poll_side::read);
  goroutine g;
  w.g = &g;
  EXPECT_TRUE(begin_wait(*d, poll_side::read, w));
  EXPECT_EQ(report(d->tag(), k_poll_read).count, 1U);
}

TEST(poll_desc, report_wakes_everybody_in_order) {
  const held_desc d;
  goroutine g[3];
  poll_waiter w[3];
  for (int i = 0; i < 3; ++i) {
    w[i].g = &g[i];
    ASSERT_TRUE(begin_wait(*d, poll_side::write, w[i]));
  }
  {
    const std::lock_guard hold(d->mu);
    EXPECT_TRUE(end_wait_locked(*d, poll_side::write, w[1]));
    EXPECT_FALSE(end_wait_locked(*d, poll_side::write, w[1]));
  }
  ready_list out = report(d->tag(), k_poll_write);
  EXPECT_EQ(out.pop_front(), &g[0]);
  EXPECT_EQ(out.pop_front(), &g[2]);
  EXPECT_EQ(out.pop_front(), nullptr);
}

TEST(poll_desc, report_of_before_wakes_nobody_who_uses_the_object_now) {
  std::uint64_t old = 0;
  poll_desc* before = nullptr;
  {
    const held_desc d;
    old = d->tag();
    before = d.d;
  }
  const held_desc d;
  ASSERT_EQ(d.d, before);  // the one that was given back last is taken first
  EXPECT_NE(d->tag(), old);
  goroutine g;
  poll_waiter w;
  w.g = &g;
  ASSERT_TRUE(begin_wait(*d, poll_side::read, w));
  EXPECT_EQ(report(old, k_poll_read | k_poll_ended).count, 0U);
  EXPECT_FALSE(d->ended.load());
  EXPECT_EQ(report(d->tag(), k_poll_read).count, 1U);
}

TEST(poll_desc, closing_and_expiry_refuse_who_comes) {
  const held_desc d;
  poll_waiter w;
  {
    const std::lock_guard hold(d->mu);
    d->side(poll_side::read).expired.store(true);
  }
  EXPECT_FALSE(begin_wait(*d, poll_side::read, w));
  EXPECT_EQ(w.why, poll_result::expired);
  {
    const std::lock_guard hold(d->mu);
    d->closing = true;
  }
  EXPECT_FALSE(begin_wait(*d, poll_side::read, w));
  EXPECT_EQ(w.why, poll_result::closed);
}

TEST(poll_desc, threads_are_woken_by_their_own_descriptor) {
  const held_desc d;
  goroutine g;
  poll_waiter here;
  here.g = &g;
  poll_waiter thread;
  thread.wake_fd = eventfd(0, EFD_NONBLOCK);
  ASSERT_TRUE(begin_wait(*d, poll_side::read, here));
  ASSERT_TRUE(begin_wait(*d, poll_side::read, thread));
  {
    const std::lock_guard hold(d->mu);
    send_threads_back_locked(*d, poll_side::read);
  }
  std::uint64_t count = 0;
  EXPECT_EQ(read(thread.wake_fd, &count, sizeof count), 8);
  EXPECT_FALSE(thread.queued);
  EXPECT_TRUE(here.queued);
  EXPECT_EQ(report(d->tag(), k_poll_read).count, 1U);
  close(thread.wake_fd);
}

// ---- The contract of a back end ----

class back_end : public testing::Test {
 protected:
  void SetUp() override {
    p.reset(new_epoll_poller());
    ASSERT_NE(p, nullptr);
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  }
  void TearDown() override {
    close(ends[0]);
    close(ends[1]);
  }
  // Everything that is reported within the time.
  std::uint32_t reported(std::uint64_t tag, std::int64_t deadline = 0) {
    poll_report r[poller::k_at_once];
    const int n = p->wait(r, deadline);
    std::uint32_t what = 0;
    for (int i = 0; i < n; ++i) {
      if (r[i].tag == tag) what |= r[i].what;
    }
    return what;
  }
  std::unique_ptr<poller> p;
  int ends[2] = {-1, -1};
};

TEST_F(back_end, reports_what_is_ready_when_it_is_added_and_every_edge_after) {
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  ASSERT_EQ(p->add(ends[0], 7), 0);
  EXPECT_EQ(p->add(ends[0], 7), 0);
  EXPECT_EQ(reported(7), k_poll_read | k_poll_write);
  EXPECT_EQ(reported(7), 0U);
  ASSERT_EQ(write(ends[1], "y", 1), 1);
  EXPECT_EQ(reported(7) & k_poll_read, k_poll_read);
  close(ends[1]);
  EXPECT_EQ(reported(7) & k_poll_ended, k_poll_ended);
  ends[1] = -1;
}

TEST_F(back_end, reports_nothing_of_what_was_removed) {
  ASSERT_EQ(p->add(ends[0], 7), 0);
  p->remove(ends[0]);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_EQ(reported(7), 0U);
}

TEST_F(back_end, interruption_waits_for_who_waits) {
  p->interrupt();
  p->interrupt();
  EXPECT_EQ(reported(7), 0U);             // a mere look does not use it up
  EXPECT_EQ(reported(7, k_forever), 0U);  // returns at once
  const std::int64_t until = now_ns() + 2'000'000;
  EXPECT_EQ(reported(7, until), 0U);
  EXPECT_GE(now_ns(), until);
}

TEST_F(back_end, refuses_what_cannot_be_polled) { EXPECT_EQ(p->add(-1, 1), EBADF); }

}  // namespace
