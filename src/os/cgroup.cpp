// Reading control groups. Layer: os. What and why: os/cgroup.h.
//
// /proc/self/cgroup tells the process's group as a path from the root of its hierarchy, /proc/self/mountinfo which
// part of a hierarchy is mounted where: a mount shows the groups from its own root on, which a container or a bind
// mount may have put anywhere. Both paths are as seen from the process's cgroup namespace, and begin with "/.." for
// what lies outside of it.
#include "os/cgroup.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <string_view>
#include <utility>

namespace pirn::rt {

namespace {

// A string in place. What does not fit makes it bad, and a bad path opens nothing.
class path_buffer {
 public:
  path_buffer() noexcept { text_[0] = '\0'; }
  explicit path_buffer(std::string_view s) noexcept : path_buffer() { append(s); }

  void append(std::string_view s) noexcept {
    if (bad_ || s.size() >= sizeof text_ - size_) {
      bad_ = true;
      return;
    }
    s.copy(text_ + size_, s.size());  // which may be empty, with no address
    resize(size_ + s.size());
  }
  // As mountinfo writes it: a backslash and three octal digits for white space, '\\' and '#'.
  void append_unescaped(std::string_view s) noexcept {
    while (!s.empty()) {
      const bool escaped = s.size() >= 4 && s[0] == '\\' && is_octal(s[1]) && is_octal(s[2]) && is_octal(s[3]);
      const char c = escaped ? static_cast<char>((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0')) : s[0];
      append({&c, 1});
      s.remove_prefix(escaped ? 4 : 1);
    }
  }
  void resize(std::size_t size) noexcept {
    size_ = size;
    text_[size_] = '\0';
  }
  std::size_t size() const noexcept { return size_; }
  bool bad() const noexcept { return bad_; }
  std::string_view view() const noexcept { return {text_, size_}; }
  int open() const noexcept {
    if (bad_) return -1;
    return ::open(text_, O_RDONLY | O_CLOEXEC);
  }

 private:
  static bool is_octal(char c) noexcept { return c >= '0' && c <= '7'; }
  char text_[PATH_MAX + NAME_MAX];
  std::size_t size_ = 0;
  bool bad_ = false;
};

class file {
 public:
  explicit file(const path_buffer& path) noexcept : fd_(path.open()) {}
  ~file() {
    if (fd_ >= 0) close(fd_);
  }
  file(const file&) = delete;
  file& operator=(const file&) = delete;

  // 0 at the end, and when there is nothing to read from.
  std::size_t read(char* to, std::size_t most) noexcept {
    ssize_t n = -1;
    while (fd_ >= 0 && (n = ::read(fd_, to, most)) < 0 && errno == EINTR) {
    }
    return n < 0 ? 0 : static_cast<std::size_t>(n);
  }

 private:
  int fd_;
};

// The lines of a file, one after the other. Lines longer than the buffer are left out: mounts with long lists of
// options, none of them a cgroup's.
class line_reader {
 public:
  explicit line_reader(const path_buffer& path) noexcept : file_(path) {}

  // The line is good until the next call.
  bool next(std::string_view& line) noexcept {
    for (;;) {
      const std::string_view rest{buffer_ + begin_, end_ - begin_};
      if (const std::size_t n = rest.find('\n'); n != std::string_view::npos) {
        begin_ += n + 1;
        line = rest.substr(0, n);
        if (!std::exchange(too_long_, false)) return true;
        continue;
      }
      if (begin_ == 0 && end_ == sizeof buffer_) {
        too_long_ = true;
        end_ = 0;
      }
      std::memmove(buffer_, buffer_ + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      const std::size_t got = file_.read(buffer_ + end_, sizeof buffer_ - end_);
      if (got == 0) return false;  // both files end in a newline
      end_ += got;
    }
  }

 private:
  file file_;
  char buffer_[2 * PATH_MAX];
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool too_long_ = false;
};

// Cuts the part before the separator off; all of it when there is none.
std::string_view cut(std::string_view& s, char separator) noexcept {
  const std::size_t n = s.find(separator);
  const std::string_view head = s.substr(0, n);
  s.remove_prefix(n == std::string_view::npos ? s.size() : n + 1);
  return head;
}

bool list_has(std::string_view list, std::string_view word) noexcept {
  while (!list.empty()) {
    if (cut(list, ',') == word) return true;
  }
  return false;
}

// The groups this process is in. A path is empty when it is in none of that version.
struct own_groups {
  path_buffer v1;  // in the hierarchy of the cpu controller
  path_buffer v2;

  explicit own_groups(std::string_view root) noexcept {
    path_buffer path(root);
    path.append("/proc/self/cgroup");
    line_reader lines(path);
    for (std::string_view line; lines.next(line);) {
      // <hierarchy>:<controllers>:<path>; the path may contain colons.
      const std::string_view hierarchy = cut(line, ':');
      const std::string_view controllers = cut(line, ':');
      if (hierarchy == "0" && controllers.empty()) v2.append(line);
      if (list_has(controllers, "cpu")) v1.append(line);
    }
  }
};

struct mount {
  path_buffer root;   // the group at its top
  path_buffer point;  // where that is seen
  const path_buffer* group = nullptr;
  bool v2 = false;
};

// False when the line is not about a mount that can tell of the process's CPU time.
bool parse_mount(std::string_view line, std::string_view file_root, const own_groups& own, mount& m) noexcept {
  for (int i = 0; i < 3; ++i) cut(line, ' ');  // mount id, parent's id, device
  const std::string_view root = cut(line, ' ');
  const std::string_view point = cut(line, ' ');
  cut(line, ' ');  // options
  while (!line.empty() && cut(line, ' ') != "-") {
  }
  const std::string_view type = cut(line, ' ');
  cut(line, ' ');  // source
  m.v2 = type == "cgroup2";
  if (!m.v2 && !(type == "cgroup" && list_has(line, "cpu"))) return false;
  m.group = m.v2 ? &own.v2 : &own.v1;
  if (m.group->size() == 0 || m.group->bad()) return false;
  m.root.append_unescaped(root);
  m.point.append(file_root);
  m.point.append_unescaped(point);
  return !m.root.bad() && !m.point.bad();
}

// Cuts leading "/.." off and counts them. "/" becomes empty.
int cut_ups(std::string_view& path) noexcept {
  int ups = 0;
  while (path == "/.." || path.substr(0, 4) == "/../") {
    path.remove_prefix(3);
    ++ups;
  }
  if (path == "/") path = {};
  return ups;
}

// Where `group` is below the mount's root: empty at it, else beginning with '/'. False when it is not there.
bool below_root(std::string_view group, std::string_view root, std::string_view& below) noexcept {
  const int group_ups = cut_ups(group);
  const int root_ups = cut_ups(root);
  below = {};
  // An ancestor outside of the namespace: what lies between has no name here. Its own limit holds all the same.
  if (root_ups > group_ups) return root.empty();
  if (root_ups != group_ups || group.substr(0, root.size()) != root) return false;
  below = group.substr(root.size());
  return below.empty() || below[0] == '/';
}

std::string_view read_small(path_buffer& dir, std::string_view name, char* to, std::size_t most) noexcept {
  const std::size_t before = dir.size();
  dir.append(name);
  std::string_view text{to, file(dir).read(to, most)};
  dir.resize(before);
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text;
}

std::int64_t positive(std::string_view text) noexcept {
  std::int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc{} && end == text.data() + text.size() && n > 0 ? n : 0;
}

cpu_limit limit_of(path_buffer& dir, bool v2) noexcept {
  char first[64];
  char second[64];
  cpu_limit limit;
  if (v2) {
    std::string_view text = read_small(dir, "/cpu.max", first, sizeof first);
    limit.quota_us = positive(cut(text, ' '));  // "max" is none
    limit.period_us = positive(text);
  } else {
    limit.quota_us = positive(read_small(dir, "/cpu.cfs_quota_us", first, sizeof first));  // -1 is none
    limit.period_us = positive(read_small(dir, "/cpu.cfs_period_us", second, sizeof second));
  }
  return limit.quota_us == 0 || limit.period_us == 0 ? cpu_limit{} : limit;
}

bool tighter(cpu_limit a, cpu_limit b) noexcept {
  if (a.unlimited() || b.unlimited()) return !a.unlimited();
  using wide = __int128;
  return static_cast<wide>(a.quota_us) * b.period_us < static_cast<wide>(b.quota_us) * a.period_us;
}

// From the process's group up to the mount's root.
cpu_limit tightest_in(mount& m) noexcept {
  std::string_view below;
  if (!below_root(m.group->view(), m.root.view(), below)) return {};
  path_buffer& dir = m.point;
  const std::size_t top = dir.size();
  dir.append(below);
  if (dir.bad()) return {};
  cpu_limit tightest;
  for (;;) {
    const cpu_limit here = limit_of(dir, m.v2);
    if (tighter(here, tightest)) tightest = here;
    if (dir.size() <= top) return tightest;
    dir.resize(std::max(dir.view().rfind('/'), top));
  }
}

}  // namespace

cpu_limit cgroup_cpu_limit(const char* root) noexcept {
  const int saved = errno;
  cpu_limit tightest;
  const own_groups own(root);
  path_buffer path(root);
  path.append("/proc/self/mountinfo");
  line_reader lines(path);
  for (std::string_view line; lines.next(line);) {
    mount m;
    if (!parse_mount(line, root, own, m)) continue;
    const cpu_limit here = tightest_in(m);
    if (tighter(here, tightest)) tightest = here;
  }
  errno = saved;
  return tightest;
}

int cpus_within(cpu_limit limit) noexcept {
  if (limit.unlimited()) return 0;
  const std::int64_t whole = limit.quota_us / limit.period_us + (limit.quota_us % limit.period_us != 0 ? 1 : 0);
  return static_cast<int>(std::min<std::int64_t>(whole, INT_MAX));
}

}  // namespace pirn::rt
