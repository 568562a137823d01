// The text of goroutines' stacks, in Go's shape. Layer: debug.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

#include "debug/text.h"
#include "os/mapped_vector.h"
#include "os/unwind.h"
#include "sched/scheduler.h"

namespace pirn::rt {

// How much of a dying program is shown; the environment variable GOTRACEBACK. Ordered.
enum class trace_level {
  none,    // no stacks
  single,  // that of the goroutine that died, or all where it was none
  all,     // every goroutine's
  system,  // and the runtime's own frames, with addresses
  crash,   // and a core dump
};

// Of a stack with more frames than this, the first and the last half are shown.
inline constexpr std::size_t k_shown_frames = 100;

// A goroutine as it was at one instant.
struct goroutine_record {
  const goroutine* object = nullptr;
  std::uint64_t id = 0;
  const char* status = "";
  std::uint32_t minutes = 0;  // it has waited
  bool locked = false;        // bound to a thread
  char name[64] = {};
  std::uint64_t creator_id = 0;
  void* creator_pc = nullptr;
  const worker* on = nullptr;  // which it runs on
  // In a list of frames.
  std::size_t first_frame = 0;
  std::size_t frames = 0;
  std::uint64_t left_out = 0;  // behind the first k_shown_frames / 2
  bool no_stack = false;       // it runs, and did not answer
};

using frame_list = mapped_vector<stack_frame>;

// Everything about g but its frames and status.
void describe(const goroutine& g, goroutine_record& out) noexcept;

// Walks to the end and keeps what is shown; fills the three numbers of frames in `out`.
void collect_frames(stack_walk& walk, frame_list& frames, goroutine_record& out) noexcept;

// Texts by address, for a report that shows the same places again and again. Uses the allocator.
struct place_cache {
  std::unordered_map<std::uintptr_t, std::string> frames;
  std::unordered_map<std::uintptr_t, std::pair<std::string, std::string>> creators;  // function; place
};

// "goroutine N [status]:", its frames, and who created it. `from_throw`: the innermost frames are those that throwing
// an exception makes, and are left out.
void write_goroutine(text_sink& out, const goroutine_record& g, const stack_frame* frames, trace_level level,
                     bool from_throw = false, place_cache* cache = nullptr);

// Frames alone.
void write_frames(text_sink& out, const stack_frame* frames, std::size_t count, std::uint64_t left_out,
                  trace_level level, bool from_throw = false, place_cache* cache = nullptr);

}  // namespace pirn::rt
