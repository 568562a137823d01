// Go: test/chan/perm.go. A view of a channel does only what its direction allows.
#include <pirn/pirn.h>

int main() {
  pirn::chan<int> both(1);
  pirn::send_chan<int> in = both;
  pirn::recv_chan<int> out = both;
  in.send(1);
  in.close();
  (void)out.recv();
  int v = 0;
  pirn::select(pirn::send(both, 1), pirn::send(in, 1), pirn::recv(out, v), pirn::recv(both, v));
#if defined(RECV_ON_SEND_CHAN)
  (void)in.recv();
#elif defined(TRY_RECV_ON_SEND_CHAN)
  (void)in.try_recv();
#elif defined(RANGE_OVER_SEND_CHAN)
  for (int x : in) v += x;
#elif defined(SEND_ON_RECV_CHAN)
  out.send(1);
#elif defined(TRY_SEND_ON_RECV_CHAN)
  (void)out.try_send(1);
#elif defined(CLOSE_OF_RECV_CHAN)
  out.close();
#elif defined(RECV_CHAN_TO_CHAN)
  pirn::chan<int> back = out;
#elif defined(SEND_CHAN_TO_CHAN)
  pirn::chan<int> back = in;
#elif defined(RECV_CHAN_TO_SEND_CHAN)
  pirn::send_chan<int> turned = out;
#elif defined(SEND_CHAN_TO_RECV_CHAN)
  pirn::recv_chan<int> turned = in;
#elif defined(TURNED_EXPLICITLY_TO_SEND)
  pirn::send_chan<int> turned(out);
#elif defined(TURNED_EXPLICITLY_TO_RECV)
  pirn::recv_chan<int> turned(in);
#elif defined(SELECT_SEND_ON_RECV_CHAN)
  pirn::select(pirn::send(out, 1));
#elif defined(SELECT_RECV_ON_SEND_CHAN)
  pirn::select(pirn::recv(in, v));
#elif defined(OTHER_ELEMENT_TYPE)
  pirn::recv_chan<long> other = both;
#endif
}
