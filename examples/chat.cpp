// A chat room: what one says all others hear. The room is a goroutine that owns the list of those present and is talked
// to by channels, so nothing is locked; each guest has a goroutine that reads and one that writes.
//   example-chat 7777        and, elsewhere, several  nc localhost 7777
// Without a port two guests of its own meet, and it ends.
#include <pirn/io.h>
#include <pirn/net.h>
#include <pirn/pirn.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>

namespace net = pirn::net;

struct guest {
  std::string name;
  pirn::chan<std::string> to_say{16};  // what it is to hear; who is slower than that misses some
};
using guest_ptr = std::shared_ptr<guest>;

struct room {
  pirn::chan<guest_ptr> enter;
  pirn::chan<guest_ptr> leave;
  pirn::chan<std::pair<guest_ptr, std::string>> say;
};

static void tell_others(const std::map<guest*, guest_ptr>& present, const guest* but, const std::string& line) {
  for (const auto& [key, g] : present) {
    if (key != but) g->to_say.try_send(line + "\n");
  }
}

static void keep(const room& r) {
  std::map<guest*, guest_ptr> present;
  for (;;) {
    std::optional<guest_ptr> in;
    std::optional<guest_ptr> out;
    std::optional<std::pair<guest_ptr, std::string>> said;
    switch (pirn::select(pirn::recv(r.enter, in), pirn::recv(r.leave, out), pirn::recv(r.say, said))) {
      case 0:
        if (!in) return;
        present[in->get()] = *in;
        (*in)->to_say.try_send("welcome, " + (*in)->name + "\n");
        tell_others(present, in->get(), (*in)->name + " enters");
        break;
      case 1:
        present.erase(out->get());
        (*out)->to_say.close();
        tell_others(present, out->get(), (*out)->name + " leaves");
        break;
      default:
        tell_others(present, said->first.get(), said->first->name + ": " + said->second);
    }
  }
}

static void attend(const room& r, net::conn c) {
  std::error_code ec;
  pirn::io::scanner lines(c);
  if (!lines.scan(ec)) return;  // the first line is the name
  auto me = std::make_shared<guest>();
  me->name = lines.text();
  pirn::wait_group writer;
  r.enter.send(me);
  writer.go([&] {
    std::error_code gone;
    for (const std::string& line : me->to_say) c.write(line, gone);
  });
  while (lines.scan(ec)) r.say.send({me, std::string(lines.text())});
  r.leave.send(me);
  writer.wait();
}

static void serve(const room& r, net::listener& listener) {
  std::error_code ec;
  pirn::wait_group guests;
  for (;;) {
    net::conn c = listener.accept(ec);
    if (ec) break;
    guests.go([&r, c = std::move(c)]() mutable { attend(r, std::move(c)); });
  }
  guests.wait();
  r.enter.close();
}

static void meet(net::listener& listener) {
  net::conn ann = net::dial("tcp", listener.addr());
  pirn::io::scanner heard(ann);
  ann.write("Ann\n");
  if (heard.scan()) std::printf("%s\n", std::string(heard.text()).c_str());  // from now on Ann hears everybody
  net::conn ben = net::dial("tcp", listener.addr());
  ben.write("Ben\nhello\n");
  for (int i = 0; i < 2 && heard.scan(); ++i) std::printf("%s\n", std::string(heard.text()).c_str());
  ben.close();
  if (heard.scan()) std::printf("%s\n", std::string(heard.text()).c_str());
}

int main(int argc, char** argv) {
  return pirn::run([=] {
    const room r;
    net::listener listener = net::listen("tcp", argc > 1 ? ":" + std::string(argv[1]) : "127.0.0.1:0");
    pirn::wait_group all;
    all.go([&] { keep(r); });
    all.go([&] { serve(r, listener); });
    if (argc == 1) {
      meet(listener);
      listener.close();
    }
    all.wait();
  });
}
