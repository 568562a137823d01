// Buffers, copying, limits and lines over readers and writers of every kind, those of the program's own included.
// Layer: tests of include/pirn/io.h and src/io, through the public headers.
#include <pirn/io.h>
#include <pirn/net.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/support.h"

namespace {

using namespace pirn_test;
namespace io = pirn::io;

// Gives out a text by pieces of a length; without error forms.
struct text_reader {
  std::string text;
  std::size_t piece = 3;
  std::size_t at = 0;
  bool fails_at_end = false;

  std::size_t read(std::span<char> b) {
    const std::size_t n = std::min({piece, b.size(), text.size() - at});
    if (n == 0 && fails_at_end) throw std::system_error(std::make_error_code(std::errc::io_error));
    std::copy_n(text.data() + at, n, b.data());
    at += n;
    return n;
  }
};

struct text_writer {
  std::string text;
  std::vector<std::size_t> sizes;
  std::size_t room = std::string::npos;

  void write(std::string_view s) {
    if (text.size() + s.size() > room) throw std::system_error(std::make_error_code(std::errc::no_space_on_device));
    text += s;
    sizes.push_back(s.size());
  }
};

static_assert(io::reader<text_reader> && io::writer<text_writer>);
static_assert(io::reader<pirn::net::conn> && io::writer<pirn::net::conn>);
static_assert(io::reader<io::pipe_reader> && io::writer<io::pipe_writer> && !io::reader<io::pipe_writer>);

TEST(io_read_all, takes_everything_and_keeps_what_came_before_an_error) {
  text_reader r{std::string(10'000, 'x')};
  EXPECT_EQ(io::read_all(r), std::string(10'000, 'x'));
  text_reader none;
  EXPECT_EQ(io::read_all(none), "");
  text_reader bad{"abcdef"};
  bad.fails_at_end = true;
  std::error_code ec;
  EXPECT_EQ(io::read_all(bad, ec), "abcdef");
  EXPECT_EQ(ec, std::errc::io_error);
  EXPECT_THROW(io::read_all(bad), std::system_error);
}

TEST(io_copy, moves_everything_and_counts) {
  text_reader from{std::string(100'000, 'y'), 70'000};
  text_writer to;
  EXPECT_EQ(io::copy(to, from), 100'000U);
  EXPECT_EQ(to.text, from.text);
  text_reader again{"12345678"};
  text_writer full;
  full.room = 6;
  std::error_code ec;
  EXPECT_EQ(io::copy(full, again, ec), 6U);
  EXPECT_EQ(ec, std::errc::no_space_on_device);
}

TEST(io_limit_reader, ends_where_it_was_told) {
  text_reader from{"0123456789"};
  io::limit_reader limited(from, 7);
  EXPECT_EQ(io::read_all(limited), "0123456");
  EXPECT_EQ(limited.left(), 0U);
  EXPECT_EQ(io::read_all(from), "789");
  text_reader little{"ab"};
  io::limit_reader more(little, 7);
  EXPECT_EQ(io::read_all(more), "ab");
  EXPECT_EQ(more.left(), 5U);
}

TEST(io_buffered_reader, gives_small_pieces_of_large_reads) {
  text_reader from{"one\ntwo\nlast", 5};
  io::buffered_reader r(from, 8);
  EXPECT_EQ(r.read_byte(), std::byte{'o'});
  EXPECT_EQ(r.buffered().text(), "ne\nt");
  EXPECT_EQ(r.read_until('\n'), "ne\n");
  EXPECT_EQ(r.read_until('\n'), "two\n");
  char rest[20];
  EXPECT_EQ(r.read(rest), 2U);  // what is buffered
  EXPECT_EQ(r.read_until('\n'), "st");
  EXPECT_EQ(r.read_until('\n'), "");
  EXPECT_EQ(r.read_byte(), std::nullopt);
  EXPECT_EQ(r.read(rest), 0U);
}

TEST(io_buffered_writer, collects_until_it_is_full_or_flushed) {
  text_writer to;
  io::buffered_writer w(to, 8);
  w.write("abc");
  w.write("def");
  EXPECT_EQ(to.text, "");
  w.write("ghi");
  EXPECT_EQ(to.text, "abcdefgh");
  EXPECT_EQ(w.buffered(), 1U);
  w.flush();
  EXPECT_EQ(to.text, "abcdefghi");
  w.write(std::string(20, 'z'));  // larger than the buffer, which is empty: straight through
  EXPECT_EQ(to.sizes.back(), 20U);
  w.write("");
  w.flush();
  EXPECT_EQ(to.text.size(), 29U);
}

TEST(io_buffered_writer, fails_for_good_after_an_error) {
  text_writer to;
  to.room = 8;
  io::buffered_writer w(to, 8);
  std::error_code ec;
  w.write("12345678", ec);
  EXPECT_FALSE(ec);
  w.write("9", ec);
  EXPECT_FALSE(ec);
  w.flush(ec);
  EXPECT_EQ(ec, std::errc::no_space_on_device);
  to.room = 100;
  w.write("x", ec);
  EXPECT_EQ(ec, std::errc::no_space_on_device);
  EXPECT_THROW(w.flush(), std::system_error);
}

std::vector<std::string> lines_of(const std::string& text, std::size_t piece) {
  text_reader from{text, piece};
  std::vector<std::string> all;
  for (io::scanner lines(from); lines.scan();) all.emplace_back(lines.text());
  return all;
}

TEST(io_scanner, gives_lines_whatever_the_pieces_are) {
  const std::vector<std::string> expected{"first", "", "third", "last without an end"};
  for (std::size_t piece = 1; piece < 30; ++piece) {
    EXPECT_EQ(lines_of("first\n\nthird\r\nlast without an end", piece), expected);
  }
  EXPECT_TRUE(lines_of("", 1).empty());
  EXPECT_EQ(lines_of("\n", 1), std::vector<std::string>{""});
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(lines_of(many, 777).size(), 5000U);
}

TEST(io_scanner, line_beyond_the_limit_is_an_error) {
  text_reader from{std::string(300, 'x') + "\n", 50};
  io::scanner lines(from, 100);
  std::error_code ec;
  EXPECT_FALSE(lines.scan(ec));
  EXPECT_EQ(ec, io::io_errc::line_too_long);
  text_reader broken{"abc"};
  broken.fails_at_end = true;
  io::scanner no_end(broken);
  EXPECT_THROW(no_end.scan(), std::system_error);
}

class io_pipe : public on_procs {};
PIRN_TEST_ON_PROCS(io_pipe);

TEST_P(io_pipe, passes_everything_from_writer_to_reader) {
  run([] {
    auto [r, w] = io::pipe();
    auto writer = pirn::spawn([w = std::move(w)]() mutable {
      for (int i = 0; i < 100; ++i) w.write(std::to_string(i) + ",");
    });
    std::string expected;
    for (int i = 0; i < 100; ++i) expected += std::to_string(i) + ",";
    EXPECT_EQ(io::read_all(r), expected);
    writer.get();
  });
}

TEST_P(io_pipe, write_waits_until_all_has_been_read) {
  run([] {
    auto [r, w] = io::pipe();
    auto writer = pirn::spawn([&w = w] { return w.write("abcdef"); });
    char two[2];
    EXPECT_EQ(r.read(two), 2U);
    EXPECT_EQ(r.read(two), 2U);
    let_others_run();
    EXPECT_FALSE(writer.ready());
    EXPECT_EQ(r.read(two), 2U);
    EXPECT_EQ(writer.get(), 6U);
    EXPECT_EQ(w.write(""), 0U);
    EXPECT_EQ(r.read(pirn::mutable_bytes()), 0U);
  });
}

TEST_P(io_pipe, closing_either_end_ends_the_other) {
  run([] {
    {
      auto [r, w] = io::pipe();
      auto writer = pirn::spawn([&w = w] {
        std::error_code ec;
        const std::size_t n = w.write("abcdef", ec);
        return std::pair(n, ec);
      });
      char two[2];
      r.read(two);
      r.close(std::make_error_code(std::errc::io_error));
      const auto [n, ec] = writer.get();
      EXPECT_EQ(n, 2U);
      EXPECT_EQ(ec, std::errc::io_error);
      EXPECT_THROW(r.read(two), std::system_error);
    }
    {
      auto [r, w] = io::pipe();
      auto reader = pirn::spawn([&r = r] {
        char b[2];
        std::error_code ec;
        r.read(b, ec);
        return ec;
      });
      let_others_run();
      w.close(std::make_error_code(std::errc::timed_out));
      EXPECT_EQ(reader.get(), std::errc::timed_out);
      std::error_code ec;
      w.write("x", ec);
      EXPECT_EQ(ec, io::io_errc::closed_pipe);
    }
  });
}

TEST_P(io_pipe, several_writers_take_turns) {
  run([] {
    auto [r, w] = io::pipe();
    pirn::wait_group wg;
    for (int i = 0; i < 8; ++i) {
      wg.go([&w = w, i] {
        for (int k = 0; k < scaled(40); ++k) w.write(std::string(20, static_cast<char>('a' + i)) + "\n");
      });
    }
    pirn::go([&wg, &w = w] {
      wg.wait();
      w.close();
    });
    int lines = 0;
    for (io::scanner s(r); s.scan(); ++lines) EXPECT_EQ(s.text(), std::string(20, s.text()[0]));
    EXPECT_EQ(lines, 8 * scaled(40));
  });
}

TEST_P(io_pipe, copies_from_a_socket) {
  run([] {
    pirn::net::listener l = pirn::net::listen("tcp", "127.0.0.1:0");
    auto [r, w] = io::pipe();
    auto copier = pirn::spawn([&l, w = std::move(w)]() mutable {
      auto c = l.accept();
      return io::copy(w, c);
    });
    auto c = pirn::net::dial("tcp", l.addr());
    const std::string text(200'000, 'q');
    auto sender = pirn::spawn([&] {
      io::buffered_writer b(c);
      for (std::size_t i = 0; i < text.size(); i += 100) b.write(std::string_view(text).substr(i, 100));
      b.flush();
      c.close();
    });
    EXPECT_EQ(io::read_all(r), text);
    EXPECT_EQ(copier.get(), text.size());
    sender.get();
  });
}

}  // namespace
