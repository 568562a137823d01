// S07: a cache under one reader-writer lock, and one of 32 shards with a lock each; 32 readers and a writer.
#include <pirn/pirn.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "support/forms.h"

namespace lab {
namespace {

constexpr int k_readers = 32;
constexpr int k_keys = 1024;
constexpr std::size_t k_shards = 32;
constexpr std::chrono::milliseconds k_write_pause(1);

class cache {
 public:
  std::optional<int> get(const std::string& key) const {
    const std::shared_lock lock(mutex_);
    const auto found = values_.find(key);
    if (found == values_.end()) return std::nullopt;
    return found->second;
  }
  void set(const std::string& key, int value) {
    const std::lock_guard lock(mutex_);
    values_[key] = value;
  }

 private:
  mutable pirn::shared_mutex mutex_;
  std::unordered_map<std::string, int> values_;
};

class sharded_cache {
 public:
  std::optional<int> get(const std::string& key) const { return shards_[shard_of(key)].part.get(key); }
  void set(const std::string& key, int value) { shards_[shard_of(key)].part.set(key, value); }

 private:
  struct alignas(64) shard {
    cache part;
  };
  // FNV-1a, as in the document.
  static std::size_t shard_of(const std::string& key) {
    std::uint32_t hash = 2166136261U;
    for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    return hash % k_shards;
  }
  std::array<shard, k_shards> shards_;
};

std::vector<std::string> make_keys() {
  std::vector<std::string> keys;
  keys.reserve(k_keys);
  for (int i = 0; i < k_keys; ++i) keys.push_back("key" + std::to_string(i));
  return keys;
}

// The value of a key is its index, whatever the writer writes of it.
template <typename Cache>
void read_all(const std::vector<std::string>& keys, int gets) {
  Cache shared;
  for (int k = 0; k < k_keys; ++k) shared.set(keys[static_cast<std::size_t>(k)], k);
  std::atomic<bool> stop{false};
  pirn::wait_group writer;
  writer.go([&] {
    for (int k = 0; !stop.load(std::memory_order_relaxed); k = (k + 1) % k_keys) {
      shared.set(keys[static_cast<std::size_t>(k)], k);
      pirn::sleep_for(k_write_pause);
    }
  });
  each_worker(k_readers, [&](int reader) {
    for (int i = 0; i < gets; ++i) {
      const int k = (reader * 31 + i) % k_keys;
      require(shared.get(keys[static_cast<std::size_t>(k)]) == k, "a wrong value");
    }
  });
  stop.store(true, std::memory_order_relaxed);
  writer.wait();
}

int probe(arguments args) {
  const int gets = int_argument(args, 0);
  const int rounds = int_argument(args, 1);
  return pirn::run([=] {
    const std::vector<std::string> keys = make_keys();
    measure_in_turns(rounds, static_cast<double>(k_readers) * gets,
                     {{"one_lock_ns", [&] { read_all<cache>(keys, gets); }},
                      {"sharded_ns", [&] { read_all<sharded_cache>(keys, gets); }}});
  });
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  const int gets = t.pick(50000, 5000);
  t.ran(text("%d readers of %d gets each and a writer: one lock, and %zu shards; in turns, %d fresh programs",
             k_readers, gets, k_shards, repeats));
  const paired both = t.beside(repeats, {std::to_string(gets), std::to_string(t.pick(5, 3))});
  t.record(both);
  judge_forms(t, both, {.slow = "one_lock_ns", .improved = "sharded_ns", .ratio = 1.5});
}

const registration entry_s07(entry{
    .id = "S07",
    .title = "A cache under one lock, and a sharded one",
    .seed = k_source_document,
    .target = "shards >= 1.5x cheaper a get, or our one lock at most a third of Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
