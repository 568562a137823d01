// The default of gomaxprocs() under a CPU quota, in control groups that the test makes: of version 1 or 2, whichever
// has the cpu controller here. Recorded trees of both versions are in os/cgroup_test.cpp. Layer: tests of src/sched,
// through the public headers, with one look at a field of the scheduler.
#include <mntent.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "sched/scheduler.h"
#include "support/child.h"
#include "support/support.h"

namespace {

using namespace pirn_test;
namespace fs = std::filesystem;

bool write_to(const fs::path& file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  out.flush();
  return out.good();
}

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// Where the cpu controller's hierarchy is mounted, and of which version it is.
struct hierarchy {
  fs::path at;
  bool v2 = false;
};

std::optional<hierarchy> find_cpu_hierarchy() {
  std::optional<hierarchy> found;
  FILE* mounts = setmntent("/proc/self/mounts", "r");
  if (mounts == nullptr) return found;
  while (const mntent* m = getmntent(mounts)) {
    const std::string type = m->mnt_type;
    if (type == "cgroup" && hasmntopt(m, "cpu") != nullptr) found = {{m->mnt_dir, false}};
    if (type == "cgroup2" && !found) {
      const std::string controllers = " " + first_line(fs::path(m->mnt_dir) / "cgroup.controllers") + " ";
      if (controllers.find(" cpu ") != std::string::npos) found = {{m->mnt_dir, true}};
    }
  }
  endmntent(mounts);
  return found;
}

// A group inside a group: test/inner. Removed at the end.
class quota : public testing::Test {
 protected:
  void SetUp() override {
    const auto found = find_cpu_hierarchy();
    if (!found) GTEST_SKIP() << "no hierarchy with the cpu controller is mounted";
    v2_ = found->v2;
    outer_ = found->at / ("pirn-test-" + std::to_string(getpid()));
    std::error_code error;
    fs::create_directory(outer_, error);
    if (error) GTEST_SKIP() << "cannot make a group in " << found->at << ": " << error.message();
    if (v2_ && !(write_to(found->at / "cgroup.subtree_control", "+cpu") &&
                 write_to(outer_ / "cgroup.subtree_control", "+cpu"))) {
      GTEST_SKIP() << "cannot turn the cpu controller on below " << found->at;
    }
    fs::create_directory(outer_ / "inner", error);
    if (error || !set(outer_ / "inner", 100000)) GTEST_SKIP() << "cannot set a quota in " << outer_;
    set(outer_ / "inner", k_unlimited);
  }
  void TearDown() override {
    std::error_code error;
    fs::path group = outer_ / "inner";
    if (!outer_.empty()) {
      // rmdir, not a recursive removal: the files of a group are the kernel's.
      fs::remove(group, error);
      fs::remove(outer_, error);
      EXPECT_FALSE(fs::exists(outer_)) << outer_ << " is left over";
    }
  }

  static constexpr long k_unlimited = -1;
  bool set(const fs::path& group, long quota_us) const {
    if (!v2_) return write_to(group / "cpu.cfs_quota_us", std::to_string(quota_us));
    return write_to(group / "cpu.max", (quota_us < 0 ? "max" : std::to_string(quota_us)) + " 100000");
  }

  // What a process that starts in test/inner prints.
  std::string in_group(const std::string& child, const std::string& gomaxprocs = "") const {
    const auto result =
        run_child(child, {{"PIRN_TEST_GROUP", (outer_ / "inner").string()}, {"GOMAXPROCS", gomaxprocs}});
    EXPECT_EQ(result.exit_code, 0) << result.describe();
    return result.output;
  }
  // The same with these quotas, in microseconds of each 100 ms.
  std::string under(long outer, long inner) const {
    EXPECT_TRUE(set(outer_, outer));
    EXPECT_TRUE(set(outer_ / "inner", inner));
    const std::string procs = in_group("print_procs");
    EXPECT_TRUE(set(outer_ / "inner", k_unlimited));
    EXPECT_TRUE(set(outer_, k_unlimited));
    return procs;
  }
  static std::string at_most(int procs) { return std::to_string(std::min(procs, pirn::runtime::num_cpu())); }

  bool v2_ = false;
  fs::path outer_;
};

bool enter_group() {
  const char* group = std::getenv("PIRN_TEST_GROUP");
  return group != nullptr && write_to(fs::path(group) / "cgroup.procs", std::to_string(getpid()));
}

int print_procs(const pirn::config& config = {}) {
  return pirn::run(config, [] { std::printf("%d", pirn::runtime::gomaxprocs()); });
}

PIRN_CHILD(print_procs) { return enter_group() ? print_procs() : 1; }

TEST_F(quota, none_leaves_all_cpus) { EXPECT_EQ(under(k_unlimited, k_unlimited), at_most(1 << 20)); }

TEST_F(quota, is_rounded_up_to_whole_cpus) {
  EXPECT_EQ(under(k_unlimited, 50000), "1");
  EXPECT_EQ(under(k_unlimited, 100000), "1");
  EXPECT_EQ(under(k_unlimited, 150000), at_most(2));
  EXPECT_EQ(under(k_unlimited, 200000), at_most(2));
  EXPECT_EQ(under(k_unlimited, 250000), at_most(3));
}

TEST_F(quota, of_an_ancestor_counts_when_it_is_tighter) {
  EXPECT_EQ(under(100000, k_unlimited), "1");
  EXPECT_EQ(under(300000, 100000), "1");
}

TEST_F(quota, gives_way_to_the_environment) {
  set(outer_ / "inner", 100000);
  EXPECT_EQ(in_group("print_procs", "3"), "3");
}

PIRN_CHILD(print_configured_procs) { return enter_group() ? print_procs(with_procs(3)) : 1; }
TEST_F(quota, gives_way_to_the_config) {
  set(outer_ / "inner", 100000);
  EXPECT_EQ(in_group("print_configured_procs"), "3");
}

PIRN_CHILD(print_procs_on_one_cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(static_cast<std::size_t>(sched_getcpu()), &mask);
  return enter_group() && sched_setaffinity(0, sizeof mask, &mask) == 0 ? print_procs() : 1;
}
TEST_F(quota, gives_way_to_a_narrower_affinity_mask) {
  set(outer_ / "inner", 300000);
  EXPECT_EQ(in_group("print_procs_on_one_cpu"), "1");
}

// Sets the quota of the group that the child is in, in microseconds of each 100 ms.
void set_own_quota(long quota_us) {
  const fs::path group = std::getenv("PIRN_TEST_GROUP");
  if (fs::exists(group / "cpu.max")) {
    write_to(group / "cpu.max", (quota_us < 0 ? "max" : std::to_string(quota_us)) + " 100000");
  } else {
    write_to(group / "cpu.cfs_quota_us", std::to_string(quota_us));
  }
}

// Go: TestCgroupGOMAXPROCSUpdate. A hang is the failure: the child is killed after a minute.
PIRN_CHILD(follow_changes) {
  if (!enter_group()) return 1;
  return pirn::run([] {
    for (const long quota : {100000L, -1L, 50000L, -1L}) {
      set_own_quota(quota);
      const int expected = quota < 0 ? pirn::runtime::num_cpu() : 1;
      while (pirn::runtime::gomaxprocs() != expected) pirn::sleep_for(std::chrono::milliseconds(5));
      std::printf("%d", expected);
    }
    // What the run does with them is the same as after a call: all of it still works.
    std::atomic<int> done{0};
    pirn::wait_group wg;
    for (int i = 0; i < 1000; ++i) wg.go([&] { ++done; });
    wg.wait();
    std::printf(" %d", done.load());
  });
}
TEST_F(quota, is_followed_when_it_changes) {
  const std::string all = std::to_string(pirn::runtime::num_cpu());
  EXPECT_EQ(in_group("follow_changes"), "1" + all + "1" + all + " 1000");
}

// Go: TestCgroupGOMAXPROCSUpdate, the part about an explicit call, also one that changes nothing.
PIRN_CHILD(follow_no_more) {
  if (!enter_group()) return 1;
  return pirn::run([] {
    pirn::rt::scheduler& s = *pirn::rt::the_scheduler.load();
    std::printf("%d", s.follows_limits ? 1 : 0);
    pirn::runtime::gomaxprocs();
    std::printf("%d", s.follows_limits ? 1 : 0);
    pirn::runtime::gomaxprocs(pirn::runtime::gomaxprocs());
    std::printf("%d", s.follows_limits ? 1 : 0);
  });
}
TEST_F(quota, is_not_followed_any_more_once_a_number_was_asked_for) { EXPECT_EQ(in_group("follow_no_more"), "110"); }

// The quota is read when a run starts; asking outside of a run tells what one would start with.
PIRN_CHILD(print_procs_of_two_runs) {
  if (!enter_group()) return 1;
  std::printf("%d", pirn::runtime::gomaxprocs());
  print_procs();
  set_own_quota(-1);
  std::printf("%d", pirn::runtime::gomaxprocs());
  return print_procs();
}
TEST_F(quota, is_read_anew_by_each_run) {
  set(outer_ / "inner", 80000);
  const std::string all = std::to_string(pirn::runtime::num_cpu());
  EXPECT_EQ(in_group("print_procs_of_two_runs"), "11" + all + all);
}

}  // namespace
