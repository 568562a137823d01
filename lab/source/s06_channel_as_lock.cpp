// S06: a small map owned by a goroutine that others send their writes to, and the map under a mutex.
#include <pirn/pirn.h>

#include <mutex>
#include <string>
#include <unordered_map>

#include "support/allocations.h"
#include "support/forms.h"

namespace lab {
namespace {

using table = std::unordered_map<std::string, int>;

constexpr int k_keys = 64;

std::vector<std::string> make_keys() {
  std::vector<std::string> keys;
  keys.reserve(k_keys);
  for (int i = 0; i < k_keys; ++i) keys.push_back("key" + std::to_string(i));
  return keys;
}

// The document's request and response: each write makes a channel that is closed when it is done.
class owned_table {
 public:
  explicit owned_table(table& values) {
    pirn::go([commands = commands_, ended = ended_, &values] {
      for (const set_command& c : commands) {
        values[c.key] = c.value;
        c.done.close();
      }
      ended.close();
    });
  }
  void set(const std::string& key, int value) {
    const pirn::chan<void> done;
    commands_.send({key, value, done});
    done.recv();
  }
  void finish() {
    commands_.close();
    ended_.recv();
  }

 private:
  struct set_command {
    std::string key;
    int value;
    pirn::chan<void> done;
  };
  pirn::chan<set_command> commands_;
  pirn::chan<void> ended_;
};

class locked_table {
 public:
  explicit locked_table(table& values) : values_(values) {}
  void set(const std::string& key, int value) {
    const std::lock_guard<pirn::mutex> lock(mutex_);
    values_[key] = value;
  }
  void finish() {}

 private:
  pirn::mutex mutex_;
  table& values_;
};

struct load {
  int writers;
  int sets;  // by each writer
  std::vector<std::string> keys;
};

template <typename Table>
void write_all(const load& l, table& values) {
  Table shared(values);
  each_worker(l.writers, [&](int) {
    for (int i = 0; i < l.sets; ++i) shared.set(l.keys[static_cast<std::size_t>(i) % l.keys.size()], i);
  });
  shared.finish();
}

// Every key holds a value that was written to it, by the only writer its last one.
void check_and_clear(const load& l, table& values) {
  require(values.size() == l.keys.size(), "a key is missing");
  const int keys = static_cast<int>(l.keys.size());
  for (int k = 0; k < keys; ++k) {
    const int value = std::exchange(values[l.keys[static_cast<std::size_t>(k)]], -1);
    require(value >= 0 && value % keys == k, "a value under the wrong key");
    if (l.writers == 1) require(value >= l.sets - keys, "not the last value");
  }
}

// Arguments: WRITERS SETS ROUNDS.
int probe(arguments args) {
  const load l{int_argument(args, 0), int_argument(args, 1), make_keys()};
  const int rounds = int_argument(args, 2);
  return pirn::run([&] {
    table values;
    for (const std::string& key : l.keys) values[key] = -1;
    const auto check = [&] { check_and_clear(l, values); };
    const double sets = static_cast<double>(l.writers) * l.sets;
    measure_in_turns(rounds, sets,
                     {{"channel_ns", [&] { write_all<owned_table>(l, values); }, check},
                      {"mutex_ns", [&] { write_all<locked_table>(l, values); }, check}});
    const auto allocated = [&](void (*form)(const load&, table&)) {
      const allocation_count count;
      form(l, values);
      return static_cast<double>(count.so_far()) / sets;
    };
    emit("channel_allocations", allocated(write_all<owned_table>));
    emit("mutex_allocations", allocated(write_all<locked_table>));
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  t.ran(
      text("writes to a map of %d keys, to an owner and under a mutex: by 1 goroutine on one P, by 1, by 8; "
           "%d fresh programs",
           k_keys, repeats));
  struct variation {
    const char* prefix;
    int writers;
    const char* gomaxprocs;  // null: the machine's
    bool judged;
  };
  const variation variations[] = {
      {"one_p_", 1, "1", true},
      {"by_1_", 1, nullptr, false},
      {"by_8_", 8, nullptr, false},
  };
  for (const variation& v : variations) {
    launch how;
    if (v.gomaxprocs != nullptr) how.environment = {{"GOMAXPROCS", v.gomaxprocs}};
    const std::string sets = std::to_string(t.pick(400000, 40000) / v.writers);
    const paired both = t.beside(repeats, {std::to_string(v.writers), sets, t.quick() ? "3" : "5"}, how);
    t.record(both, v.prefix);
    // Those that start and end the workers are no write's.
    const double allocations = both.pirn.number("mutex_allocations");
    t.check(allocations < 0.01, text("%s%.3g allocations a write under the mutex", v.prefix, allocations));
    // The document says what a write costs on a single core: 600 ns.
    if (!v.judged) continue;
    judge_forms(t, both, {.slow = "channel_ns", .improved = "mutex_ns", .ratio = 15, .prefix = v.prefix},
                {{"the document's write", both.pirn.number("channel_ns"), 600}});
  }
}

const registration entry_s06(entry{
    .id = "S06",
    .title = "A channel as a lock, and a mutex",
    .seed = k_source_document,
    .target = "on one core the mutex >= 15x cheaper, or our slow form at most a third of the document's or Go's; "
              "no allocation under the mutex",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
