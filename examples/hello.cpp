// A goroutine sends, the main goroutine receives until the channel is closed.
#include <pirn/pirn.h>

#include <cstdio>
#include <string>

int main() {
  return pirn::run([] {
    pirn::chan<std::string> words;  // unbuffered: a send waits for its receiver
    pirn::go([words] {
      for (const char* word : {"hello", "from", "a", "goroutine"}) words.send(word);
      words.close();
    });
    for (const std::string& word : words) std::printf("%s\n", word.c_str());
  });
}
