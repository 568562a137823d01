/* Store buffers, for the other models. Spin runs all threads on one memory, one step at a time; a processor does not: a
 * plain store waits in a buffer of its core, in order (x86-64), while later loads of the same thread already read memory.
 * That is the one reordering that the barriers of the runtime are there for, so the models carry it explicitly.
 *
 * The including model defines N_THREADS (1..4) and N_VARS first. Variables that are changed by locked instructions only
 * need no place in mem[]: a global of the model does.
 *   ST(me, a, v)   plain store; waits while the buffer is full, as the processor does
 *   LD(me, a)      load: the own buffer's newest, else memory
 *   DRAINED(t)     thread t's buffer is empty. Waiting for it is what a locked instruction, a full fence or the
 *                  interrupt of membarrier does: the buffer drains by itself, at any moment, in the process `memory`.
 *   HEAVY(me)      heavy_barrier(): every thread's buffer drains, not all at the same instant.
 * light_barrier() is nothing here: it only keeps the compiler from reordering, and Promela does not reorder.
 */
#define DEPTH 4 /* two calls into the runtime: what one left behind and what the next begins with */

typedef buffer {
  byte n;
  byte at[DEPTH];
  byte val[DEPTH]
};
buffer sb[N_THREADS];
byte mem[N_VARS];

#define IN_SB(me, a, i) (sb[me].n > i && sb[me].at[i] == (a))
#define LD(me, a)                             \
  (IN_SB(me, a, 3) -> sb[me].val[3] :         \
   (IN_SB(me, a, 2) -> sb[me].val[2] :        \
    (IN_SB(me, a, 1) -> sb[me].val[1] :       \
     (IN_SB(me, a, 0) -> sb[me].val[0] : mem[a]))))

#define ST(me, a, v)               \
  d_step {                         \
    sb[me].n < DEPTH ->            \
    sb[me].at[sb[me].n] = a;       \
    sb[me].val[sb[me].n] = v;      \
    sb[me].n++                     \
  }

#define DRAINED(t) (sb[t].n == 0)

#define DRAIN_ONE(t)                                              \
  d_step {                                                        \
    sb[t].n > 0 ->                                                \
    mem[sb[t].at[0]] = sb[t].val[0];                              \
    sb[t].at[0] = sb[t].at[1]; sb[t].val[0] = sb[t].val[1];       \
    sb[t].at[1] = sb[t].at[2]; sb[t].val[1] = sb[t].val[2];       \
    sb[t].at[2] = sb[t].at[3]; sb[t].val[2] = sb[t].val[3];       \
    sb[t].at[3] = 0; sb[t].val[3] = 0;                            \
    sb[t].n--                                                     \
  }

active proctype memory() {
end:
  do
  :: DRAIN_ONE(0)
#if N_THREADS > 1
  :: DRAIN_ONE(1)
#endif
#if N_THREADS > 2
  :: DRAIN_ONE(2)
#endif
#if N_THREADS > 3
  :: DRAIN_ONE(3)
#endif
  od
}

#if N_THREADS == 1
#define HEAVY(me) DRAINED(0)
#elif N_THREADS == 2
#define HEAVY(me) DRAINED(0); DRAINED(1)
#elif N_THREADS == 3
#define HEAVY(me) DRAINED(0); DRAINED(1); DRAINED(2)
#else
#define HEAVY(me) DRAINED(0); DRAINED(1); DRAINED(2); DRAINED(3)
#endif
