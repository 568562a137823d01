// Writing goroutines' stacks. Layer: debug. The shapes are Go's: runtime/traceback.go describes them.
#include "debug/traceback.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "debug/symbols.h"

namespace pirn::rt {

namespace {

bool begins(std::string_view text, std::string_view with) noexcept { return text.substr(0, with.size()) == with; }

// The qualified name within a mangled one: behind what marks locals, nested names and const members.
std::string_view qualified(const char* symbol) noexcept {
  std::string_view s = symbol;
  if (!begins(s, "_Z")) return s;
  s.remove_prefix(2);
  while (!s.empty() && (s.front() == 'Z' || s.front() == 'N' || s.front() == 'K')) s.remove_prefix(1);
  return s;
}

bool contains(std::string_view text, std::string_view part) noexcept {
  return text.find(part) != std::string_view::npos;
}

bool ends(std::string_view text, std::string_view with) noexcept {
  return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}

// The folder of the library's sources, as the debug information names it.
std::string_view own_sources() noexcept {
  std::string_view here = __FILE__;
  here.remove_suffix(std::string_view("debug/traceback.cpp").size());
  return here;
}

// For inlined functions of no linkage, lambdas for one, only their bare names are known, so their files decide.
bool is_inner_file(std::string_view file) noexcept {
  const std::string_view own = own_sources();
  if (!own.empty() && begins(file, own)) {
    return !begins(file.substr(own.size()), "sync/");
  }
  for (const std::string_view inner :
       {"/pirn/detail/", "/bits/invoke.h", "/bits/std_function.h", "/bits/unique_ptr.h"}) {
    if (contains(file, inner)) return true;
  }
  for (const std::string_view inner : {"pirn/go.h", "pirn/scope.h", "pirn/runtime.h", "/functional", "/tuple"}) {
    if (ends(file, inner)) return true;
  }
  return false;
}

bool is_mangled(const char* symbol) noexcept { return symbol != nullptr && begins(symbol, "_Z"); }

// What is left out: as a rule everything that the user did not write or call by name; where that is all there is, as of
// a goroutine that ends in a sleep, the scheduler alone; and nothing.
enum class hiding { inner, scheduler, nothing };

// The scheduler: switching, and what stands below every goroutine.
bool is_scheduler(const code_place& place) noexcept {
  if (place.symbol != nullptr && is_mangled(place.symbol)) return begins(qualified(place.symbol), "4pirn2rt");
  if (place.symbol != nullptr && begins(place.symbol, "pirn_goroutine_")) return true;
  const std::string_view own = own_sources();
  return !own.empty() && begins(place.file, own) && !begins(std::string_view(place.file).substr(own.size()), "sync/");
}

// The runtime's own frames, and those between it and what the user wrote.
bool is_inner(const code_place& place) noexcept {
  if (!is_mangled(place.symbol) && is_inner_file(place.file)) return true;
  if (place.symbol == nullptr) return false;
  const std::string_view s = qualified(place.symbol);
  for (const std::string_view inner :
       {"4pirn2rt", "4pirn6detail", "4pirn7runtime5stack", "4pirn7runtime6detail", "pirn_goroutine_", "St8__invoke",
        "St13__invoke_impl", "St12__invoke_r", "St6invoke", "St5apply", "St12__apply_impl", "St17_Function_handler",
        "St8functionI", "KSt8functionI"}) {
    if (begins(s, inner)) return true;
  }
  return false;
}

bool is_hidden(const code_place& place, hiding how) noexcept {
  return how == hiding::inner ? is_inner(place) : how == hiding::scheduler && is_scheduler(place);
}

// What stands between the one who starts a goroutine and the runtime.
bool is_pirn(const code_place& place) noexcept {
  return is_inner(place) || (place.symbol != nullptr && begins(qualified(place.symbol), "4pirn"));
}

// Called by the program to throw; what lies further in is the C++ runtime's.
bool throws(const char* symbol) noexcept {
  if (symbol == nullptr) return false;
  for (const char* name : {"__cxa_throw", "__cxa_rethrow", "__cxa_call_unexpected"}) {
    if (ends(symbol, name)) return true;
  }
  return begins(qualified(symbol), "St17rethrow_exception");
}

void write_place(text_sink& out, const code_place& place) {
  out << place.function;
  // Bare names come without parameters.
  if (!is_mangled(place.symbol)) out << (place.inlined ? "(...)" : "()");
  out << "\n\t" << place.file << ":" << place.line;
}

class frame_writer {
 public:
  frame_writer(text_sink& out, trace_level level, place_cache* cache)
      : out_(out), level_(level), cache_(level < trace_level::system ? cache : nullptr) {}

  // Whether any line was written.
  bool write(const stack_frame& f, hiding how) {
    if (cache_ == nullptr || how != hiding::inner) return write_to(out_, f, how);
    const auto [at, is_new] = cache_->frames.try_emplace(f.pc * 2 + (f.interrupted ? 1 : 0));
    if (is_new) {
      string_sink text(at->second);
      write_to(text, f, how);
    }
    out_ << at->second;
    return !at->second.empty();
  }

 private:
  bool write_to(text_sink& out, const stack_frame& f, hiding how) {
    bool any = false;
    for_each_place(f.lookup_pc(), [&](const code_place& place) {
      if (is_hidden(place, how)) return;
      any = true;
      write_place(out, place);
      if (!place.inlined) {
        if (f.function != 0) (out << " +").hex(f.pc - f.function);
        if (level_ >= trace_level::system) {
          (out << " fp=").hex(f.cfa);
          (out << " sp=").hex(f.sp);
          (out << " pc=").hex(f.pc);
        }
      }
      out << "\n";
    });
    return any;
  }

  text_sink& out_;
  trace_level level_;
  place_cache* cache_;
};

// How many frames at the inner end belong to a throw.
std::size_t frames_of_throw(const stack_frame* frames, std::size_t count) {
  constexpr std::size_t k_far = 24;
  for (std::size_t i = 0; i < count && i < k_far; ++i) {
    bool found = false;
    for_each_place(frames[i].lookup_pc(), [&](const code_place& place) { found = found || throws(place.symbol); });
    if (found) return i + 1;
  }
  return 0;
}

void write_label(text_sink& out, std::string_view text) {
  const auto plain = [](char c) { return c > ' ' && c < 0x7f && std::strchr("\"\\,:{}", c) == nullptr; };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) {
    out << text;
    return;
  }
  out << "\"";
  for (const char c : text) {
    const bool special = c == '"' || c == '\\';
    if (special) out << "\\";
    out << (special || static_cast<unsigned char>(c) >= ' ' ? std::string_view(&c, 1) : std::string_view("?"));
  }
  out << "\"";
}

void write_header(text_sink& out, const goroutine_record& g, trace_level level) {
  out << "goroutine " << g.id;
  if (level >= trace_level::system) {
    (out << " gp=").hex(reinterpret_cast<std::uintptr_t>(g.object));
    if (g.on != nullptr) {
      (out << " m=" << g.on->index << " mp=").hex(reinterpret_cast<std::uintptr_t>(g.on));
    } else {
      out << " m=nil";
    }
  }
  out << " [" << g.status;
  if (g.minutes >= 1) out << ", " << g.minutes << " minutes";
  if (g.locked) out << ", locked to thread";
  out << "]";
  if (g.name[0] != '\0') {
    out << " {name: ";
    write_label(out, g.name);
    out << "}";
  }
  out << ":\n";
}

// The call of go() itself is inlined into its caller; what of pirn's stands before that is of no interest.
template <class Between>
void write_creator_to(text_sink& function, text_sink& place_to, std::uintptr_t pc, Between between) {
  bool written = false;
  for (const bool any_will_do : {false, true}) {
    for_each_place(pc - 1, [&](const code_place& place) {
      if (written || (is_pirn(place) && (place.inlined || !any_will_do))) return;
      written = true;
      function << "created by " << place.function;
      between();
      place_to << "\n\t" << place.file << ":" << place.line;
      frame_rules rules;
      if (find_frame_rules(pc - 1, rules)) (place_to << " +").hex(pc - rules.function);
      place_to << "\n";
    });
    if (written) return;
  }
}

void write_creator(text_sink& out, const goroutine_record& g, place_cache* cache) {
  if (g.creator_id == 0 || g.creator_pc == nullptr) return;
  const auto pc = reinterpret_cast<std::uintptr_t>(g.creator_pc);
  if (cache != nullptr) {
    const auto [at, is_new] = cache->creators.try_emplace(pc);
    if (is_new) {
      string_sink function(at->second.first);
      string_sink place(at->second.second);
      write_creator_to(function, place, pc, [] {});
    }
    out << at->second.first << " in goroutine " << g.creator_id << at->second.second;
    return;
  }
  write_creator_to(out, out, pc, [&] { out << " in goroutine " << g.creator_id; });
}

}  // namespace

void describe(const goroutine& g, goroutine_record& out) noexcept {
  out.object = &g;
  out.id = g.id;
  out.locked = (g.flags & k_g_locked) != 0;
  out.creator_id = g.creator_id;
  out.creator_pc = g.creator_pc;
  if (g.extras != nullptr) {
    const std::size_t n = std::min(g.extras->name.size(), sizeof out.name - 1);
    // By hand: ThreadSanitizer watches memcpy(), and does not know what orders this with whoever wrote the name.
    for (std::size_t i = 0; i < n; ++i) out.name[i] = g.extras->name[i];
    out.name[n] = '\0';
  }
}

void collect_frames(stack_walk& walk, frame_list& frames, goroutine_record& out) noexcept {
  constexpr std::size_t k_half = k_shown_frames / 2;
  constexpr std::uint64_t k_patience = 50'000'000;  // a deep recursion takes seconds by then
  stack_frame last[k_half];
  std::uint64_t n = 0;
  out.first_frame = frames.size();
  stack_frame f;
  while (n < k_patience && walk.next(f)) {
    if (n < k_half) {
      frames.push_back(f);
    } else {
      last[n % k_half] = f;
    }
    ++n;
  }
  const std::uint64_t behind = n > k_half ? std::min<std::uint64_t>(n - k_half, k_half) : 0;
  for (std::uint64_t i = n - behind; i < n; ++i) frames.push_back(last[i % k_half]);
  out.frames = frames.size() - out.first_frame;
  out.left_out = n - out.frames;
}

void write_frames(text_sink& out, const stack_frame* frames, std::size_t count, std::uint64_t left_out,
                  trace_level level, bool from_throw, place_cache* cache) {
  frame_writer w(out, level, cache);
  const std::size_t begin = from_throw ? frames_of_throw(frames, count) : 0;
  for (const hiding how : {hiding::inner, hiding::scheduler, hiding::nothing}) {
    if (level >= trace_level::system && how != hiding::nothing) continue;
    bool any = false;
    for (std::size_t i = begin; i < count; ++i) {
      if (left_out != 0 && i == k_shown_frames / 2) out << "..." << left_out << " frames elided...\n";
      any = w.write(frames[i], how) || any;
    }
    if (any) return;
  }
}

void write_goroutine(text_sink& out, const goroutine_record& g, const stack_frame* frames, trace_level level,
                     bool from_throw, place_cache* cache) {
  write_header(out, g, level);
  if (g.no_stack) out << "\tgoroutine running on other thread; stack unavailable\n";
  write_frames(out, frames, g.frames, g.left_out, level, from_throw, cache);
  write_creator(out, g, cache);
}

}  // namespace pirn::rt
