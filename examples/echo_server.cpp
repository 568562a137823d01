// One goroutine per connection, plain blocking code. With a port it serves until it is interrupted:
//   example-echo_server 7777        and, elsewhere,  nc localhost 7777
// Without one it serves itself a few clients, and ends.
#include <pirn/net.h>
#include <pirn/pirn.h>

#include <cstdio>
#include <string>

namespace net = pirn::net;

static void echo(net::conn c) {
  char buffer[4096];
  std::error_code ec;
  while (const std::size_t n = c.read(buffer, ec)) {
    c.write(pirn::const_bytes(buffer, n), ec);
    if (ec) break;
  }
}

static void serve(net::listener& listener) {
  std::error_code ec;
  for (;;) {
    net::conn c = listener.accept(ec);
    if (ec) return;
    pirn::go([c = std::move(c)]() mutable { echo(std::move(c)); });
  }
}

int main(int argc, char** argv) {
  return pirn::run([=] {
    net::listener listener = net::listen("tcp", argc > 1 ? ":" + std::string(argv[1]) : "127.0.0.1:0");
    if (argc > 1) {
      std::printf("listening on %s\n", listener.addr().to_string().c_str());
      serve(listener);
      return;
    }
    pirn::wait_group all;
    all.go([&] { serve(listener); });
    for (const char* word : {"one", "two", "three"}) {
      net::conn c = net::dial("tcp", listener.addr());
      c.set_deadline(pirn::now() + std::chrono::seconds(10));
      c.write(word);
      std::string back(std::string_view(word).size(), '\0');
      c.read_full(back);
      std::printf("%s\n", back.c_str());
    }
    listener.close();
    all.wait();
  });
}
