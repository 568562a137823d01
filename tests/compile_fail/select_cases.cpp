// What a select's cases may name: variables that live on, of a fitting type.
#include <pirn/pirn.h>

#include <memory>
#include <optional>
#include <string>

int main() {
  pirn::chan<int> c(1);
  pirn::chan<std::unique_ptr<int>> owners(1);
  pirn::chan<std::string> texts(1);
  int v = 0;
  const int constant = 0;
  bool ok = false;
  std::optional<int> maybe;
  auto owner = std::make_unique<int>(constant);
  std::string text;
  pirn::select(pirn::recv(c, v), pirn::recv(c, maybe), pirn::recv(c, v, ok), pirn::send(owners, std::move(owner)),
               pirn::recv(texts, text), pirn::send(texts, "converted"), pirn::recv(c, [](std::optional<int>) {}),
               pirn::otherwise);
#if defined(TWO_OTHERWISE)
  pirn::select(pirn::otherwise, pirn::recv(c), pirn::otherwise);
#elif defined(TEMPORARY_OUT)
  pirn::select(pirn::recv(c, int{}));
#elif defined(TEMPORARY_OPTIONAL_OUT)
  pirn::select(pirn::recv(c, std::optional<int>{}));
#elif defined(TEMPORARY_OUT_WITH_OK)
  pirn::select(pirn::recv(c, int{}, ok));
#elif defined(TEMPORARY_OK)
  pirn::select(pirn::recv(c, v, bool{}));
#elif defined(CONST_OUT)
  pirn::select(pirn::recv(c, constant));
#elif defined(WRONG_OUT_TYPE)
  pirn::select(pirn::recv(c, text));
#elif defined(WRONG_SEND_TYPE)
  pirn::select(pirn::send(c, text));
#elif defined(SEND_COPY_OF_MOVE_ONLY)
  pirn::select(pirn::send(owners, owner));
#elif defined(NOT_A_CASE)
  pirn::select(c);
#endif
}
