// Element types of channels: void, move-only, large, aligned, without default constructor or assignment; how often a
// value is moved, copied and destroyed; and element types whose own functions throw or use channels.
// Layer: tests of src/sync, through the public headers.
#include <any>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;

class chan_types : public on_procs {};
PIRN_TEST_ON_PROCS(chan_types);

// Go: test/chan/nonblock.go. Every operation on one element type, for one value of it.
template <class T>
void check_type(const T& value) {
  const std::optional<T> expected(std::in_place, value);
  for (const int cap : {0, 1}) {
    pirn::chan<T> c(cap);
    EXPECT_EQ(c.try_recv().status, pirn::chan_status::empty);
    if (cap == 0) {
      EXPECT_FALSE(c.try_send(value));
    } else {
      EXPECT_TRUE(c.try_send(value));
      EXPECT_FALSE(c.try_send(value));
      EXPECT_EQ(c.try_recv().value, expected);
    }
    pirn::go([=] { c.send(value); });
    EXPECT_EQ(c.recv(), expected);
    pirn::go([=] { pirn::select(pirn::send(c, value)); });
    std::optional<T> out;
    EXPECT_EQ(pirn::select(pirn::recv(c, out)), 0);
    EXPECT_EQ(out, expected);
    auto receiver = pirn::spawn([=] { return c.recv(); });
    yield_until([&] { return c.try_send(value); });
    EXPECT_EQ(receiver.get(), expected);
    c.close();
    EXPECT_FALSE(c.recv().has_value());
  }
}

struct large {
  std::array<std::uint64_t, 300> numbers{};
  bool operator==(const large&) const = default;
};

// Go: test/chan/zerosize.go
struct empty {
  bool operator==(const empty&) const = default;
};

TEST_P(chan_types, scalars_work) {
  run([] {
    check_type(true);
    check_type('c');
    check_type(-5);
    check_type(std::int64_t{1} << 60);
    check_type(2.5);
    check_type(static_cast<const char*>("text"));
  });
}

TEST_P(chan_types, classes_work) {
  run([] {
    check_type(std::string("short"));
    check_type(std::string(1000, 'x'));
    check_type(std::vector<int>{1, 2, 3});
    check_type(std::make_shared<int>(4));
    check_type(std::pair<std::string, int>("a", 1));
    check_type(std::optional<int>(3));
    check_type(std::optional<int>());
    check_type(std::variant<int, std::string>("v"));
    check_type(std::map<int, int>{{1, 2}});
  });
}

TEST_P(chan_types, large_and_empty_ones_work) {
  run([] {
    large l;
    for (std::size_t i = 0; i < l.numbers.size(); ++i) l.numbers[i] = i * i;
    check_type(l);
    check_type(empty{});
  });
}

struct alignas(64) aligned_value {
  aligned_value() { check(); }
  explicit aligned_value(int v) : value(v) { check(); }
  aligned_value(const aligned_value& other) noexcept : value(other.value) { check(); }
  aligned_value& operator=(const aligned_value&) = default;
  bool operator==(const aligned_value&) const = default;
  void check() const { EXPECT_EQ(reinterpret_cast<std::uintptr_t>(this) % 64, 0u); }
  int value = 0;
};

TEST_P(chan_types, over_aligned_ones_stay_aligned) {
  run([] {
    check_type(aligned_value(7));
    pirn::chan<aligned_value> c(5);
    for (int i = 0; i < 5; ++i) c.send(aligned_value(i));
    for (int i = 0; i < 5; ++i) EXPECT_EQ(c.recv().value().value, i);
  });
}

TEST_P(chan_types, functions_and_channels_are_values_too) {
  run([] {
    pirn::chan<std::function<int()>> work(3);
    work.send([] { return 5; });
    EXPECT_EQ(work.recv().value()(), 5);

    pirn::chan<pirn::chan<int>> requests;
    pirn::go([requests] {
      for (const auto& reply : requests) reply.send(8);
    });
    for (int i = 0; i < 10; ++i) {
      pirn::chan<int> reply;
      requests.send(reply);
      EXPECT_EQ(reply.recv(), 8);
    }
    requests.close();
  });
}

// Go: TestChanSendInterface
TEST_P(chan_types, values_of_any_type_work) {
  run([] {
    pirn::chan<std::any> c(1);
    c.send(std::string("text"));
    EXPECT_EQ(pirn::select(pirn::send(c, std::any(1)), pirn::otherwise), 1);
    EXPECT_EQ(pirn::select(pirn::send(c, std::any(2)), pirn::send(c, std::any(3.0)), pirn::otherwise), 2);
    EXPECT_EQ(std::any_cast<std::string>(c.recv().value()), "text");
  });
}

TEST_P(chan_types, move_only_ones_move_through) {
  run([] {
    for (const int cap : {0, 1, 4}) {
      pirn::chan<std::unique_ptr<int>> c(cap);
      pirn::go([c] {
        for (int i = 0; i < 10; ++i) {
          if (i % 2 == 0) {
            c.send(std::make_unique<int>(i));
          } else {
            pirn::select(pirn::send(c, std::make_unique<int>(i)));
          }
        }
        c.close();
      });
      EXPECT_EQ(*c.recv().value(), 0);
      std::unique_ptr<int> out;
      pirn::select(pirn::recv(c, out));
      EXPECT_EQ(*out, 1);
      std::optional<std::unique_ptr<int>> maybe;
      pirn::select(pirn::recv(c, maybe));
      EXPECT_EQ(**maybe, 2);
      bool ok = false;
      pirn::select(pirn::recv(c, out, ok));
      EXPECT_TRUE(ok);
      EXPECT_EQ(*out, 3);
      pirn::select(pirn::recv(c, [](std::optional<std::unique_ptr<int>> v) { EXPECT_EQ(**v, 4); }));
      int next = 5;
      for (std::unique_ptr<int>& p : c) {
        const std::unique_ptr<int> mine = std::move(p);
        EXPECT_EQ(*mine, next++);
      }
      EXPECT_EQ(next, 10);
    }
  });
}

TEST_P(chan_types, void_carries_only_the_event) {
  run([] {
    for (const int cap : {0, 3}) {
      pirn::chan<void> c(cap);
      EXPECT_EQ(c.cap(), static_cast<std::size_t>(cap));
      for (int i = 0; i < cap; ++i) EXPECT_TRUE(c.try_send());
      EXPECT_FALSE(c.try_send());
      EXPECT_EQ(c.len(), static_cast<std::size_t>(cap));
      for (int i = 0; i < cap; ++i) EXPECT_EQ(c.try_recv().status, pirn::chan_status::ok);
      EXPECT_EQ(c.try_recv().status, pirn::chan_status::empty);
      pirn::go([c] {
        c.send();
        EXPECT_EQ(pirn::select(pirn::send(c)), 0);
        int ran = 0;
        EXPECT_EQ(pirn::select(pirn::send(c, [&] { ++ran; })), 0);
        EXPECT_EQ(ran, 1);
        c.send();
        c.close();
      });
      EXPECT_TRUE(c.recv());
      EXPECT_EQ(pirn::select(pirn::recv(c)), 0);
      bool got = false;
      EXPECT_EQ(pirn::select(pirn::recv(c, [&](bool ok) { got = ok; })), 0);
      EXPECT_TRUE(got);
      pirn::recv_chan<void> out = c;
      EXPECT_TRUE(out.recv());
      EXPECT_FALSE(out.recv());
      EXPECT_EQ(pirn::select(pirn::recv(c, [&](bool ok) { got = ok; })), 0);
      EXPECT_FALSE(got);
    }
  });
}

// Only nothrow moves: no default constructor, no assignment, no copy.
class bare {
 public:
  explicit bare(int v) noexcept : value_(v) {}
  bare(bare&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  bare& operator=(bare&&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

TEST_P(chan_types, a_nothrow_move_is_all_that_is_asked_for) {
  run([] {
    for (const int cap : {0, 2}) {
      pirn::chan<bare> c(cap);
      pirn::go([c] {
        for (int i = 0; i < 6; ++i) c.send(bare(i));
        c.close();
      });
      EXPECT_EQ(c.recv()->value(), 0);
      int via_callback = 0;
      pirn::select(pirn::recv(c, [&](std::optional<bare> v) { via_callback = v ? v->value() : -1; }));
      EXPECT_EQ(via_callback, 1);
      int next = 2;
      for (bare& b : c) EXPECT_EQ(b.value(), next++);
      EXPECT_EQ(next, 6);
    }
  });
}

// Counts what becomes of its values.
struct ledger {
  std::atomic<int> made{0}, destroyed{0}, copied{0};
  int alive() const { return made - destroyed; }
};

class counted {
 public:
  explicit counted(ledger& l) noexcept : ledger_(&l) { ++ledger_->made; }
  counted(const counted& other) noexcept : ledger_(other.ledger_) {
    ++ledger_->made;
    ++ledger_->copied;
  }
  counted(counted&& other) noexcept : ledger_(other.ledger_) { ++ledger_->made; }
  counted& operator=(const counted& other) noexcept {
    ++ledger_->copied;
    ledger_ = other.ledger_;
    return *this;
  }
  counted& operator=(counted&& other) noexcept {
    ledger_ = other.ledger_;
    return *this;
  }
  ~counted() { ++ledger_->destroyed; }

 private:
  ledger* ledger_;
};

TEST_P(chan_types, every_value_that_is_made_is_destroyed_once) {
  ledger l;
  run([&] {
    for (const int cap : {0, 1, 5}) {
      pirn::chan<counted> c(cap);
      pirn::go([&, c] {
        for (int i = 0; i < 50; ++i) c.send(counted(l));
        for (int i = 0; i < 50; ++i) pirn::select(pirn::send(c, counted(l)));
        c.close();
      });
      int n = 0;
      for (const counted& v : c) {
        (void)v;
        ++n;
      }
      EXPECT_EQ(n, 100);
    }
  });
  EXPECT_EQ(l.alive(), 0);
  EXPECT_EQ(l.copied, 0) << "an rvalue is never copied";
}

TEST_P(chan_types, the_last_handle_destroys_what_is_still_buffered) {
  ledger l;
  run([&] {
    pirn::chan<counted> c(10);
    for (int i = 0; i < 6; ++i) c.send(counted(l));
    c.recv();
    EXPECT_EQ(l.alive(), 5);
    pirn::recv_chan<counted> view = c;
    c = pirn::chan<counted>();
    EXPECT_EQ(l.alive(), 5) << "a view is a handle too";
    view = pirn::chan<counted>();
    EXPECT_EQ(l.alive(), 0);
  });
  EXPECT_EQ(l.alive(), 0);
}

TEST_P(chan_types, a_refused_value_is_destroyed) {
  ledger l;
  run([&] {
    pirn::chan<counted> c(1);
    c.send(counted(l));
    EXPECT_FALSE(c.try_send(counted(l)));
    auto parked = pirn::spawn([&, c] { EXPECT_THROW(c.send(counted(l)), pirn::closed_channel); });
    auto selecting =
        pirn::spawn([&, c] { EXPECT_THROW(pirn::select(pirn::send(c, counted(l))), pirn::closed_channel); });
    let_others_run();
    c.close();
    parked.get();
    selecting.get();
    EXPECT_THROW(c.send(counted(l)), pirn::closed_channel);
    EXPECT_THROW(c.try_send(counted(l)), pirn::closed_channel);
    EXPECT_EQ(l.alive(), 1);
  });
  EXPECT_EQ(l.alive(), 0);
}

TEST_P(chan_types, a_shared_pointer_is_held_by_one_side_at_a_time) {
  run([] {
    for (const int cap : {0, 1}) {
      pirn::chan<std::shared_ptr<int>> c(cap);
      auto p = std::make_shared<int>(1);
      const std::weak_ptr<int> watch = p;
      auto h = pirn::spawn([c, p = std::move(p)]() mutable { c.send(std::move(p)); });
      auto got = c.recv().value();
      h.get();
      h = pirn::spawn([] {});
      EXPECT_EQ(watch.use_count(), 1);
      got.reset();
      EXPECT_TRUE(watch.expired());
    }
  });
}

class throwing_copy {
 public:
  explicit throwing_copy(int v) : value_(v) {}
  throwing_copy(const throwing_copy& other) : value_(other.value_) {
    if (value_ < 0) throw std::runtime_error("copy fails");
  }
  throwing_copy(throwing_copy&& other) noexcept : value_(other.value_) {}
  throwing_copy& operator=(const throwing_copy&) = default;
  int value() const { return value_; }

 private:
  int value_;
};

TEST_P(chan_types, a_copy_that_throws_leaves_the_channel_intact) {
  run([] {
    pirn::chan<throwing_copy> c(2);
    const throwing_copy bad(-1), good(1);
    c.send(good);
    EXPECT_THROW(c.send(bad), std::runtime_error);
    EXPECT_THROW(c.try_send(bad), std::runtime_error);
    EXPECT_THROW(pirn::select(pirn::send(c, bad)), std::runtime_error);
    EXPECT_THROW(pirn::select(pirn::recv(c), pirn::send(c, bad)), std::runtime_error);
    EXPECT_EQ(c.len(), 1u);

    // With a receiver parked, that would have taken the value.
    pirn::chan<throwing_copy> unbuffered;
    auto receiver = pirn::spawn([unbuffered] { return unbuffered.recv().value().value(); });
    let_others_run();
    EXPECT_THROW(unbuffered.send(bad), std::runtime_error);
    EXPECT_THROW(pirn::select(pirn::send(unbuffered, bad), pirn::otherwise), std::runtime_error);
    unbuffered.send(good);
    EXPECT_EQ(receiver.get(), 1);

    c.send(good);
    EXPECT_EQ(c.recv().value().value(), 1);
    EXPECT_EQ(c.recv().value().value(), 1);
    EXPECT_EQ(c.len(), 0u);
  });
}

class throwing_assignment {
 public:
  explicit throwing_assignment(int v) : value_(v) {}
  throwing_assignment(throwing_assignment&& other) noexcept : value_(other.value_) {}
  throwing_assignment& operator=(throwing_assignment&& other) {
    if (other.value_ < 0) throw std::runtime_error("assignment fails");
    value_ = other.value_;
    return *this;
  }
  int value() const { return value_; }

 private:
  int value_;
};

TEST_P(chan_types, an_assignment_that_throws_leaves_the_channel_intact) {
  run([] {
    pirn::chan<throwing_assignment> c;
    for (const bool parked : {false, true}) {
      pirn::go([=] {
        if (!parked) let_others_run();
        c.send(throwing_assignment(-1));
        c.send(throwing_assignment(2));
      });
      if (!parked) let_others_run();
      throwing_assignment out(0);
      EXPECT_THROW(pirn::select(pirn::recv(c, out)), std::runtime_error);
      EXPECT_EQ(pirn::select(pirn::recv(c, out)), 0);
      EXPECT_EQ(out.value(), 2);
    }
  });
}

// A value whose destructor, moves and assignment use the channel it travels through would deadlock if any of them ran
// under the channel's lock. Moves are the exception: the interface says that they may run there.
class uses_its_channel {
 public:
  explicit uses_its_channel(std::function<void()> use)
      : use_(std::make_unique<std::function<void()>>(std::move(use))) {}
  uses_its_channel(uses_its_channel&&) noexcept = default;
  uses_its_channel& operator=(uses_its_channel&& other) {
    call();
    use_ = std::move(other.use_);
    return *this;
  }
  ~uses_its_channel() { call(); }

 private:
  void call() const {
    if (use_) (*use_)();
  }
  std::unique_ptr<std::function<void()>> use_;
};

TEST_P(chan_types, destructors_and_assignments_may_use_the_channel) {
  run([] {
    for (const int cap : {0, 2}) {
      const pirn::chan<uses_its_channel> c(cap);
      std::atomic<int> used{0};
      const auto use = [&] {
        ++used;
        c.len();
        c.try_recv();
        pirn::select(pirn::recv(c), pirn::otherwise);
        pirn::runtime::gosched();
      };
      const auto value = [&] { return uses_its_channel(use); };

      EXPECT_EQ(c.try_send(value()), cap > 0);
      c.try_recv();
      auto sender = pirn::spawn([&] {
        for (int i = 0; i < 4; ++i) c.send(value());
        pirn::select(pirn::send(c, value()));
        c.close();
      });
      c.recv();
      uses_its_channel out = value();
      pirn::select(pirn::recv(c, out));
      while (!c.closed()) c.try_recv();
      sender.get();
      EXPECT_THROW(c.send(value()), pirn::closed_channel);
      EXPECT_THROW(pirn::select(pirn::send(c, value())), pirn::closed_channel);
      while (c.try_recv().status == pirn::chan_status::ok) {
      }
      EXPECT_GE(used, 8);
    }
  });
}

TEST_P(chan_types, destructors_may_park_on_another_channel) {
  run([] {
    const pirn::chan<int> log;
    pirn::chan<uses_its_channel> c(3);
    auto reader = pirn::spawn([=] {
      int sum = 0;
      for (int v : log) sum += v;
      return sum;
    });
    for (int i = 0; i < 3; ++i) {
      c.send(uses_its_channel([=] { log.send(1); }));
    }
    c.recv();
    c = pirn::chan<uses_its_channel>();
    log.close();
    EXPECT_EQ(reader.get(), 3) << "one by the receiver, two by the last handle";
  });
}

// A channel can hold itself; who closes and drains it lets it go.
TEST_P(chan_types, a_value_may_hold_the_last_handle) {
  run([] {
    struct node {
      std::shared_ptr<pirn::chan<node>> home;
      std::shared_ptr<int> load;
    };
    auto load = std::make_shared<int>(1);
    const std::weak_ptr<int> watch = load;
    {
      auto c = std::make_shared<pirn::chan<node>>(1);
      auto inner = std::make_shared<pirn::chan<node>>(1);
      inner->send(node{nullptr, std::move(load)});
      c->send(node{std::move(inner), nullptr});
    }
    EXPECT_TRUE(watch.expired()) << "freeing a channel frees the one that its buffer held";
  });
}

}  // namespace
