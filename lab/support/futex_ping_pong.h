// Two threads that hand a turn to each other with bare futex calls: the floor for any switch the kernel does.
// Layer: lab/support.
#pragma once

namespace lab {

// Nanoseconds for one hand-over there and back, over `trips` of them.
double futex_round_trip_ns(int trips);

}  // namespace lab
