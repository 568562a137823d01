// Reading CPU limits from control groups, out of trees recorded in a temporary directory: both versions, nested limits,
// and the ways in which a hierarchy can be mounted. Real groups are in sched/quota_test.cpp.
// Layer: tests of src/os, white-box.
#include "os/cgroup.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace {

namespace fs = std::filesystem;
using pirn::rt::cgroup_cpu_limit;
using pirn::rt::cpu_limit;
using pirn::rt::cpus_within;

// What a kernel would show below a directory of our own.
class cgroup : public testing::Test {
 protected:
  cgroup() {
    std::string name = (fs::temp_directory_path() / "pirn-cgroup-XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~cgroup() override { fs::remove_all(root_); }

  void file(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  // The process's groups: lines of /proc/self/cgroup.
  void groups(const std::string& lines) { file("/proc/self/cgroup", lines); }
  // One more mount: of `type`, with the group `from` at its top, seen at `point`.
  void mount(const std::string& from, const std::string& point, const std::string& type, const std::string& options) {
    mounts_ += "30 23 0:26 " + from + " " + point + " rw,nosuid,relatime shared:9 - " + type + " " + type + " " +
               options + "\n";
    file("/proc/self/mountinfo", mounts_);
  }
  void mount_v2(const std::string& from = "/", const std::string& point = "/sys/fs/cgroup") {
    mount(from, point, "cgroup2", "rw,nsdelegate");
  }
  void mount_v1(const std::string& from = "/", const std::string& point = "/sys/fs/cgroup/cpu") {
    mount(from, point, "cgroup", "rw,cpu,cpuacct");
  }
  void v1_limit(const std::string& directory, const std::string& quota, const std::string& period) {
    file(directory + "/cpu.cfs_quota_us", quota + "\n");
    file(directory + "/cpu.cfs_period_us", period + "\n");
  }

  // As quota and period, {0, 0} for none.
  std::pair<std::int64_t, std::int64_t> limit() const {
    const cpu_limit l = cgroup_cpu_limit(root_.c_str());
    return {l.quota_us, l.period_us};
  }

  static constexpr std::pair<std::int64_t, std::int64_t> k_none{0, 0};
  static std::pair<std::int64_t, std::int64_t> is(std::int64_t quota, std::int64_t period = 100000) {
    return {quota, period};
  }

  std::string root_;
  std::string mounts_;
};

TEST_F(cgroup, without_groups_nothing_is_limited) {
  EXPECT_EQ(limit(), k_none);
  groups("0::/\n");
  EXPECT_EQ(limit(), k_none) << "no mountinfo";
  mount("/", "/", "ext4", "rw");
  EXPECT_EQ(limit(), k_none) << "no hierarchy mounted";
  mount_v2();
  EXPECT_EQ(limit(), k_none) << "the root group has no cpu.max";
}

TEST_F(cgroup, v2_limit_of_the_own_group) {
  groups("0::/system.slice/web.service\n");
  mount_v2();
  file("/sys/fs/cgroup/system.slice/web.service/cpu.max", "250000 100000\n");
  EXPECT_EQ(limit(), is(250000));
  file("/sys/fs/cgroup/system.slice/web.service/cpu.max", "max 100000\n");
  EXPECT_EQ(limit(), k_none);
  file("/sys/fs/cgroup/system.slice/web.service/cpu.max", "5000 10000\n");
  EXPECT_EQ(limit(), is(5000, 10000));
}

// In a container with a namespace of its own, the group is "/" and the mount's top has the files of a group.
TEST_F(cgroup, v2_limit_at_the_top_of_a_namespace) {
  groups("0::/\n");
  mount_v2();
  file("/sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_EQ(limit(), is(150000));
}

// Go reads the leaf only.
TEST_F(cgroup, v2_tightest_ancestor_counts) {
  groups("0::/a/b/c/d\n");
  mount_v2();
  file("/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
  file("/sys/fs/cgroup/a/b/cpu.max", "120000 100000\n");
  file("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
  file("/sys/fs/cgroup/a/b/c/d/cpu.max", "300000 100000\n");
  EXPECT_EQ(limit(), is(120000));
}

TEST_F(cgroup, v1_limit_of_the_own_group) {
  groups("4:memory:/elsewhere\n2:cpu,cpuacct:/docker/web\n1:name=systemd:/elsewhere\n");
  mount_v1();
  v1_limit("/sys/fs/cgroup/cpu/docker/web", "150000", "100000");
  EXPECT_EQ(limit(), is(150000));
  v1_limit("/sys/fs/cgroup/cpu/docker/web", "-1", "100000");
  EXPECT_EQ(limit(), k_none);
}

TEST_F(cgroup, v1_tightest_ancestor_counts) {
  groups("1:cpu:/a/b\n");
  mount_v1();
  v1_limit("/sys/fs/cgroup/cpu", "-1", "100000");
  v1_limit("/sys/fs/cgroup/cpu/a", "90000", "100000");
  v1_limit("/sys/fs/cgroup/cpu/a/b", "-1", "100000");
  EXPECT_EQ(limit(), is(90000));
}

TEST_F(cgroup, limits_are_compared_as_shares) {
  groups("0::/a/b\n");
  mount_v2();
  file("/sys/fs/cgroup/a/cpu.max", "50000 20000\n");
  file("/sys/fs/cgroup/a/b/cpu.max", "240000 100000\n");
  EXPECT_EQ(limit(), is(240000)) << "2.4 CPUs are less than 2.5, although the number is larger";
  file("/sys/fs/cgroup/a/b/cpu.max", "9000000000000000000 9000000000000000000\n");
  EXPECT_EQ(limit(), is(9000000000000000000, 9000000000000000000)) << "no overflow";
}

// systemd's hybrid: controllers in version 1, and an empty hierarchy of version 2 beside them.
TEST_F(cgroup, controller_of_v1_beside_an_empty_v2) {
  groups("9:cpu:/work\n0::/user.slice\n");
  mount("/", "/sys/fs/cgroup", "tmpfs", "ro,cpu");
  mount_v2("/", "/sys/fs/cgroup/unified");
  mount_v1();
  file("/sys/fs/cgroup/unified/user.slice/cgroup.procs", "1\n");
  v1_limit("/sys/fs/cgroup/cpu/work", "200000", "100000");
  EXPECT_EQ(limit(), is(200000));
}

TEST_F(cgroup, other_controllers_do_not_count) {
  groups("3:cpuset:/a\n2:cpuacct:/a\n");
  mount("/", "/sys/fs/cgroup/cpuset", "cgroup", "rw,cpuset");
  mount("/", "/sys/fs/cgroup/cpuacct", "cgroup", "rw,cpuacct");
  v1_limit("/sys/fs/cgroup/cpuset/a", "100000", "100000");
  v1_limit("/sys/fs/cgroup/cpuacct/a", "100000", "100000");
  EXPECT_EQ(limit(), k_none);
}

// A container without a namespace of its own sees its own part of the hierarchy, under the name that the host gave it.
TEST_F(cgroup, mount_of_a_part_of_the_hierarchy) {
  groups("0::/docker/4f/inner\n");
  mount_v2("/docker/4f");
  file("/sys/fs/cgroup/cpu.max", "300000 100000\n");
  file("/sys/fs/cgroup/inner/cpu.max", "200000 100000\n");
  file("/sys/fs/cgroup/docker/4f/inner/cpu.max", "1000 100000\n");  // something else of that name
  EXPECT_EQ(limit(), is(200000));
  groups("0::/docker/4f\n");
  EXPECT_EQ(limit(), is(300000));
}

TEST_F(cgroup, mount_of_another_part_tells_nothing) {
  groups("0::/docker/4f\n");
  mount_v2("/docker/4");
  file("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  file("/sys/fs/cgroup/f/cpu.max", "100000 100000\n");
  EXPECT_EQ(limit(), k_none);
}

TEST_F(cgroup, several_mounts_of_one_hierarchy) {
  groups("0::/a/b\n");
  mount_v2("/a/b", "/mnt/own");
  mount_v2("/other", "/mnt/other");
  mount_v2("/a", "/mnt/parent");
  file("/mnt/own/cpu.max", "400000 100000\n");
  file("/mnt/other/cpu.max", "100000 100000\n");
  file("/mnt/parent/cpu.max", "300000 100000\n");
  EXPECT_EQ(limit(), is(300000));
}

// "/.." is how the kernel names what lies outside of the process's cgroup namespace.
TEST_F(cgroup, mount_that_begins_outside_of_the_namespace) {
  groups("0::/inner\n");
  mount_v2("/../..");
  file("/sys/fs/cgroup/cpu.max", "250000 100000\n");
  file("/sys/fs/cgroup/inner/cpu.max", "100000 100000\n");  // not ours: what lies between has no name here
  EXPECT_EQ(limit(), is(250000));
  mounts_.clear();
  mount_v2("/../sibling");
  EXPECT_EQ(limit(), k_none);
}

TEST_F(cgroup, group_outside_of_the_namespace) {
  groups("0::/../moved/here\n");
  mount_v2("/");
  file("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(limit(), k_none);
  mounts_.clear();
  mount_v2("/..");
  file("/sys/fs/cgroup/moved/cpu.max", "200000 100000\n");
  file("/sys/fs/cgroup/cpu.max", "400000 100000\n");
  EXPECT_EQ(limit(), is(200000));
}

TEST_F(cgroup, names_with_spaces_and_colons) {
  groups("0::/a b:c\\d\n");
  mount_v2(R"(/a\040b:c\134d)", R"(/mnt/my\040groups\011\134x)");
  file("/mnt/my groups\t\\x/cpu.max", "170000 100000\n");
  EXPECT_EQ(limit(), is(170000));
}

TEST_F(cgroup, what_makes_no_sense_limits_nothing) {
  groups("0::/a/b\n");
  mount_v2();
  file("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
  for (const char* text : {"", "\n", "100000", "100000 \n", "100000 0\n", "0 100000\n", "-5 100000\n", "many 100000\n",
                           "100000 100000 100000\n", "99999999999999999999 100000\n", "max\n"}) {
    file("/sys/fs/cgroup/a/b/cpu.max", text);
    EXPECT_EQ(limit(), is(300000)) << '"' << text << '"';
  }
  fs::remove(root_ + "/sys/fs/cgroup/a/b/cpu.max");
  EXPECT_EQ(limit(), is(300000)) << "missing";
  fs::create_directories(root_ + "/sys/fs/cgroup/a/b/cpu.max");
  EXPECT_EQ(limit(), is(300000)) << "a directory";
}

TEST_F(cgroup, torn_files_limit_nothing) {
  mount_v2();
  file("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  for (const char* lines : {"", ":", "::", "0", "0:", "0::", "0::/", "\n\n\n", "1:cpu\n"}) {
    groups(lines);
    EXPECT_EQ(limit(), k_none) << '"' << lines << '"';
  }
  groups("0::/\n");
  for (const char* lines : {"", "\n", "1 2 3\n", "- - - - - - -\n", "1 2 0:3 / /sys/fs/cgroup rw cgroup2 x rw\n",
                            "1 2 0:3 / /sys/fs/cgroup rw -\n"}) {
    file("/proc/self/mountinfo", lines);
    EXPECT_EQ(limit(), k_none) << '"' << lines << '"';
  }
}

TEST_F(cgroup, found_among_many_and_long_lines) {
  groups("0::/a\n");
  for (int i = 0; i < 500; ++i) mount("/", "/some/where/" + std::to_string(i), "tmpfs", "rw");
  for (const int length : {8000, 8100, 8191, 8192, 8193, 20000, 100000}) {
    mount("/", "/layers", "overlay", "rw,lowerdir=" + std::string(static_cast<std::size_t>(length), 'x'));
  }
  mount_v2();
  for (int i = 0; i < 500; ++i) mount("/", "/or/there/" + std::to_string(i), "tmpfs", "rw");
  file("/sys/fs/cgroup/a/cpu.max", "130000 100000\n");
  EXPECT_EQ(limit(), is(130000));
}

TEST_F(cgroup, path_too_long_to_open_limits_nothing) {
  groups("0::/" + std::string(3000, 'g') + "\n");
  mount_v2("/", "/" + std::string(3000, 'm'));
  mount_v2("/", "/short");
  file("/short/cpu.max", "140000 100000\n");
  EXPECT_EQ(limit(), is(140000)) << "the mount that can be read still counts";
}

TEST_F(cgroup, errno_is_kept) {
  errno = 77;
  limit();
  EXPECT_EQ(errno, 77);
}

// Go 1.25: 200001, 250000 and 299999 us of 100 ms are 3; but a quota of one CPU or less is 1.
TEST(cpus_within_a_quota, are_rounded_up) {
  const std::pair<int, int> cases[] = {{1, 1},      {50000, 1},  {99999, 1},  {100000, 1}, {100001, 2}, {150000, 2},
                                       {200000, 2}, {200001, 3}, {250000, 3}, {299999, 3}, {300000, 3}, {6400000, 64}};
  for (const auto& [quota, cpus] : cases) EXPECT_EQ(cpus_within({quota, 100000}), cpus) << quota;
  EXPECT_EQ(cpus_within({INT64_MAX, 1}), INT32_MAX);
  EXPECT_EQ(cpus_within({}), 0) << "no limit";
}

}  // namespace
