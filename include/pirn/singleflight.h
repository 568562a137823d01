// singleflight: one call for all who ask for the same thing at the same time.
// Layer: sync.
#pragma once

#include <cxxabi.h>

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "pirn/detail/start.h"
#include "pirn/runtime.h"
#include "pirn/sync/latch.h"
#include "pirn/sync/mutex.h"

namespace pirn {

// Who asks for a key while somebody computes its value waits for that one and gets a copy of what it got; nothing is
// kept once it is there. Neither movable nor copyable. Source: golang.org/x/sync/singleflight. Thread-safety: any
// thread. It may be destroyed when nobody is in it.
template <class Key, class Value, class Hash = std::hash<Key>, class Equal = std::equal_to<Key>>
class singleflight {
  static_assert(std::is_copy_constructible_v<Value>, "each who asked gets a copy");

 public:
  struct result {
    Value value;
    bool shared;  // with others who asked
  };

  singleflight() = default;
  singleflight(const singleflight&) = delete;
  singleflight& operator=(const singleflight&) = delete;

  // What f() gives, called by this caller or by one who asked for the same key before and has not got it yet.
  // Blocks: parks while another calls. Errors: what leaves that f, for all of them; its goexit() is one for all too.
  template <class F>
    requires std::is_convertible_v<std::invoke_result_t<F>, Value>
  PIRN_DETAIL_CATCHES_FORCED_UNWIND result run(const Key& key, F&& f) {
    auto mine = std::make_shared<flight>();
    {
      std::unique_lock lock(mu_);
      const auto [at, fresh] = flights_.try_emplace(key, mine);
      if (!fresh) {
        mine = at->second;
        mine->shared = true;
        lock.unlock();
        mine->landed.wait();
        return result_of(*mine);
      }
    }
    {
      const landing at_end{*this, key, *mine};
      try {
        mine->value.emplace(std::invoke(std::forward<F>(f)));
      } catch (abi::__forced_unwind&) {
        throw;
      } catch (...) {
        mine->error = std::current_exception();
      }
    }
    return result_of(*mine);
  }

  // Who asks for the key from now on does not wait for the call that is under way. Blocks: never.
  void forget(const Key& key) {
    const std::lock_guard lock(mu_);
    flights_.erase(key);
  }

 private:
  struct flight {
    latch landed{1};
    bool shared = false;  // guarded by the group's mutex while the flight stands in the map
    // By who calls, before it has landed. Neither: goexit.
    std::optional<Value> value;
    std::exception_ptr error;
  };

  struct landing {
    singleflight& in;
    const Key& key;
    flight& of;
    ~landing() {
      {
        const std::lock_guard lock(in.mu_);
        const auto at = in.flights_.find(key);
        if (at != in.flights_.end() && at->second.get() == &of) in.flights_.erase(at);  // else it was forgotten
      }
      of.landed.count_down();
    }
  };

  static result result_of(const flight& f) {
    if (f.error) std::rethrow_exception(f.error);
    if (!f.value) runtime::goexit();
    return {*f.value, f.shared};
  }

  mutex mu_;
  std::unordered_map<Key, std::shared_ptr<flight>, Hash, Equal> flights_;  // Guarded by mu_.
};

}  // namespace pirn
