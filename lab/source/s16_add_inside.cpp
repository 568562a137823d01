// S16: a parallel map whose goroutines count themselves in, so that wait() may return before they do; and one that
// counts them before it starts them.
#include <pirn/pirn.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

#include "support/forms.h"

namespace lab {
namespace {

// Whoever waits may go before the goroutines do: the last of them frees what they write to. 0: not there yet.
struct output {
  explicit output(std::size_t n) : values(n) {}
  std::vector<std::atomic<std::int64_t>> values;
  pirn::wait_group wg;
};
using shared_output = std::shared_ptr<output>;
using indexes = std::vector<std::size_t>;

std::int64_t square(std::size_t i) {
  const auto x = static_cast<std::int64_t>(i) + 1;
  return x * x;
}

// Relaxed: in the right form the wait orders them, in the wrong one a late value is the subject.
void store(output& out, std::size_t i) { out.values[i].store(square(i), std::memory_order_relaxed); }

// What became of the wrong form.
struct findings {
  int runs = 0;
  int incomplete = 0;  // wait() returned before all was there
  int retries = 0;
  std::atomic<int> misuse{0};  // the wait_group said so
};

// The document's bug. Where the wait_group reports it the goroutine goes on uncounted.
void add_inside(const shared_output& out, const indexes& items, findings& found) {
  for (const std::size_t i : items) {
    pirn::go([out, i, &found] {
      try {
        out->wg.add(1);
      } catch (const std::logic_error&) {
        ++found.misuse;
        store(*out, i);
        return;
      }
      store(*out, i);
      out->wg.done();
    });
  }
  out->wg.wait();
}

void add_before(const shared_output& out, const indexes& items) {
  out->wg.add(static_cast<int>(items.size()));
  for (const std::size_t i : items) {
    pirn::go([&o = *out, i] {
      store(o, i);
      o.wg.done();
    });
  }
  out->wg.wait();
}

indexes missing(const output& out) {
  indexes result;
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    if (out.values[i].load(std::memory_order_relaxed) == 0) result.push_back(i);
  }
  return result;
}

// What the wrong form makes of its caller: look what is missing, and ask for it again.
void with_retries(const indexes& items, findings& found) {
  const auto out = std::make_shared<output>(items.size());
  ++found.runs;
  add_inside(out, items, found);
  indexes left = missing(*out);
  if (!left.empty()) ++found.incomplete;
  for (; !left.empty(); left = missing(*out)) {
    ++found.retries;
    add_inside(out, left, found);
  }
}

int probe(arguments args) {
  indexes items;
  for (int i = 0; i < int_argument(args, 0); ++i) items.push_back(static_cast<std::size_t>(i));
  const int rounds = int_argument(args, 1);
  findings found;
  const int status = pirn::run({.at_exit = pirn::at_exit::wait}, [&] {
    shared_output out;
    measure_in_turns(rounds, static_cast<double>(items.size()),
                     {{"add_inside_ns", [&] { with_retries(items, found); }},
                      {"add_before_ns",
                       [&] {
                         out = std::make_shared<output>(items.size());
                         add_before(out, items);
                       },
                       [&] {
                         for (const std::size_t i : items) require(out->values[i] == square(i), "a wrong result");
                       }}});
  });
  emit("runs", found.runs);
  emit("incomplete", found.incomplete);
  emit("retries", found.retries);
  emit("misuse_reported", found.misuse);
  return status;
}

void judge(trial& t) {
  const int repeats = t.pick(5, 1);
  t.ran(
      text("10 000 items, add(1) inside the goroutine with retries until all is there, and before it; in turns, "
           "%d fresh programs",
           repeats));
  const paired both = t.beside(repeats, {"10000", std::to_string(t.pick(21, 5))});
  t.record(both);
  const double incomplete = both.pirn.number("incomplete");
  const double misuse = both.pirn.number("misuse_reported");
  t.check(incomplete + misuse > 0, text("add inside: %g of %g results incomplete, misuse reported %g times", incomplete,
                                        both.pirn.number("runs"), misuse));
  judge_forms(t, both, {.slow = "add_inside_ns", .improved = "add_before_ns", .ratio = 1.5});
}

const registration entry_s16(entry{
    .id = "S16",
    .title = "wait_group::add inside the goroutine, and before it",
    .seed = k_source_document,
    .target = "inside: a wrong result seen or the misuse reported; before: right, and >= 1.5x cheaper or our slow form "
              "at most a third of Go's",
    .judge = judge,
    .probe = probe,
});

}  // namespace
}  // namespace lab
