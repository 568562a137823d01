// What can be an element of a channel: movable without throwing, or void.
#include <pirn/pirn.h>

#include <memory>

struct throwing_move {
  throwing_move() = default;
  throwing_move(throwing_move&&) noexcept(false) {}
};
struct immovable {
  immovable() = default;
  immovable(immovable&&) = delete;
};

int main() {
  pirn::chan<std::unique_ptr<int>> owners(1);
  owners.send(std::make_unique<int>(1));
  pirn::chan<void> signals(1);
  signals.send();
#if defined(THROWING_MOVE)
  pirn::chan<throwing_move> c(1);
  c.send(throwing_move{});
#elif defined(IMMOVABLE)
  pirn::chan<immovable> c(1);
  (void)c.recv();
#elif defined(REFERENCE)
  pirn::chan<int&> c(1);
  (void)c.recv();
#elif defined(SEND_COPY_OF_MOVE_ONLY)
  auto owner = std::make_unique<int>(1);
  owners.send(owner);
#elif defined(SEND_VALUE_ON_VOID)
  signals.send(1);
#endif
}
