// Thousands of connections at once that talk, stop, are closed under those who use them, and whose numbers come back
// for others; with deadlines moved all the while. No readiness is lost, and nothing comes to the wrong one. Layer:
// tests of src/net, src/poll and src/sync/pollable.cpp, seeded.
#include <pirn/net.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/proc.h"
#include "support/seed.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
using namespace std::chrono_literals;
namespace net = pirn::net;

// Two descriptors each, some for the rest.
int connections_for(int wanted) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto room = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 20)) / 2 - 100;
  return std::min(scaled(wanted), room);
}

class connections : public on_procs {};
INSTANTIATE_TEST_SUITE_P(, connections, ::testing::Values(1, 2, 4), procs_name);

struct pair {
  net::conn a;
  net::conn b;
};

pair make_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::system_error(errno, std::system_category());
  return {net::conn::from_native(ends[0]), net::conn::from_native(ends[1])};
}

// All wait at once; each is told something of its own, in random order.
TEST_P(connections, every_one_of_ten_thousand_gets_what_is_its_own) {
  const int before = count_descriptors();
  run([] {
    const int n = connections_for(10'000);
    std::vector<pair> all;
    all.reserve(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) all.push_back(make_pair());
    std::atomic<int> right{0};
    pirn::wait_group wg;
    for (int i = 0; i < n; ++i) {
      wg.go([&, i] {
        for (int k = 0; k < 3; ++k) {
          int got = 0;
          if (all[static_cast<std::size_t>(i)].b.read_full(pirn::mutable_bytes(&got, sizeof got)) == sizeof got &&
              got == i + k) {
            ++right;
          }
        }
      });
    }
    let_others_run();
    auto random = random_for(1);
    std::vector<int> order(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) order[static_cast<std::size_t>(i)] = i;
    for (int k = 0; k < 3; ++k) {
      std::shuffle(order.begin(), order.end(), random);
      for (const int i : order) {
        const int value = i + k;
        all[static_cast<std::size_t>(i)].a.write(pirn::const_bytes(&value, sizeof value));
      }
    }
    wg.wait();
    EXPECT_EQ(right, 3 * n);
  });
  EXPECT_EQ(count_descriptors(), before);
}

// A slot has a connection over which one side echoes numbers; it is closed by whoever comes, at any moment, and the
// slot gets another one, which has the same descriptor as often as not. Who finds a number that he has not sent has got
// another's.
TEST_P(connections, closed_at_random_and_replaced_lose_and_mix_up_nothing) {
  run([] {
    constexpr int k_slots = 64;
    const int rounds = scaled(400);
    std::atomic<long> echoed{0};
    pirn::wait_group wg;
    for (int slot = 0; slot < k_slots; ++slot) {
      wg.go([&, slot] {
        auto random = random_for(static_cast<std::uint64_t>(slot) + 1000);
        for (int round = 0; round < rounds / 8; ++round) {
          auto p = std::make_shared<pair>(make_pair());
          pirn::wait_group both;
          both.go([p] {
            char buffer[16];
            std::error_code ec;
            while (const std::size_t n = p->b.read(buffer, ec)) p->b.write(pirn::const_bytes(buffer, n), ec);
          });
          both.go([p, seed = random()] {
            std::minstd_rand r(seed);
            for (int i = 0; i < static_cast<int>(r() % 40); ++i) pirn::runtime::gosched();
            std::error_code ec;
            (r() % 2 == 0 ? p->a : p->b).close(ec);
          });
          both.go([p, seed = random()] {
            std::minstd_rand r(seed);
            for (int i = 0; i < 20; ++i) {
              std::error_code ec;
              p->a.set_read_deadline(pirn::now() + std::chrono::microseconds(r() % 300), ec);
              if (r() % 2 == 0) pirn::runtime::gosched();
            }
            std::error_code ec;
            p->a.set_deadline(net::no_deadline, ec);
          });
          for (std::uint32_t i = 0;; ++i) {
            const std::uint32_t mine[2] = {static_cast<std::uint32_t>(slot), i};
            std::uint32_t got[2] = {};
            std::error_code ec;
            p->a.write(pirn::const_bytes(mine, sizeof mine), ec);
            if (ec) break;
            std::size_t n = 0;
            do {
              n += p->a.read_full(pirn::mutable_bytes(got, sizeof got).after(n), ec);
              if (ec == std::errc::timed_out) pirn::runtime::gosched();
            } while (ec == std::errc::timed_out);
            if (ec || n != sizeof got) break;
            ASSERT_EQ(got[0], mine[0]);
            ASSERT_EQ(got[1], mine[1]);
            ++echoed;
          }
          std::error_code ec;
          p->a.close(ec);
          both.wait();
        }
      });
    }
    wg.wait();
    EXPECT_GT(echoed, 0);
  });
}

}  // namespace
