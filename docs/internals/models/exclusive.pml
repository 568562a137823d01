/* The mode in which spinlocks need no locked instruction: src/sched/exclusive.cpp, src/os/spinlock.h. Checked by
 * run_models.sh.
 *
 * Threads: the worker that holds the only P, which begins the mode and whose goroutine then locks and unlocks a channel;
 * two foreign threads that come to do the same at any time. The first to come ends the mode; beside one that is inside
 * it does not begin.
 *
 * Either of the two barriers alone would do here; the program needs the first where the P has no holder to look at.
 *
 * Property: one at a time in the section that the spinlock guards, and everybody gets to its end.
 *
 * MUTANTS: NO_BARRIERS NO_WAIT_FOR_OUTSIDE FLAG_IS_ALL BEGINS_REGARDLESS BEGINS_WITHOUT_LOCK
 */
#define N_THREADS 3
#define W 0
#define ROUNDS 3

#define N_VARS 2
#define INSIDE 0
#define WORD 1 /* the spinlock */
#include "store_buffer.pml"

/* Changed by locked instructions, or by one thread under `changing`. */
bool one_inside = 0;
bool off = 1; /* the mode has not begun, or was left completely */
byte foreign_inside = 0;
bool changing = 0; /* a mutex */
bool hold = 0;

/* Not in the program. */
byte holders = 0;

#define LOCK_WITH_EXCHANGE(me) atomic { DRAINED(me) && mem[WORD] == 0 -> mem[WORD] = 1 }
#define LOCK(me)                                   \
  if                                               \
  :: one_inside ->                                 \
    if                                             \
    :: LD(me, WORD) == 0 -> ST(me, WORD, 1)        \
    :: else -> LOCK_WITH_EXCHANGE(me)              \
    fi                                             \
  :: else -> LOCK_WITH_EXCHANGE(me)                \
  fi
#define SECTION() d_step { holders++; assert(holders == 1) } holders--

#define ENTER()                               \
  do                                           \
  :: ST(W, INSIDE, 1);                         \
    if                                         \
    :: hold -> ST(W, INSIDE, 0); !hold         \
    :: else -> break                           \
    fi                                         \
  od;                                          \
  skip /* no jump into a d_step */

inline end_exclusive(me) {
  atomic { DRAINED(me) && !changing -> changing = 1 }
  if
  :: off
  :: else ->
    atomic { DRAINED(me) -> one_inside = 0 }
#ifndef NO_BARRIERS
    HEAVY(me);
#endif
#ifndef NO_WAIT_FOR_OUTSIDE
    do
    :: atomic { DRAINED(me) -> hold = 1 }
#ifndef NO_BARRIERS
      HEAVY(me);
#endif
      outside = (LD(me, INSIDE) == 0);
      atomic { DRAINED(me) -> hold = 0 }
      if
      :: outside -> break
      :: else
      fi
    od;
#endif
    off = 1
  fi;
  atomic { DRAINED(me) -> changing = 0 }
}

proctype worker() {
  byte round = 0;
  ST(W, INSIDE, 1);
  /* begin_exclusive() */
#ifndef BEGINS_WITHOUT_LOCK
  atomic { DRAINED(W) && !changing -> changing = 1 }
#endif
  atomic { DRAINED(W) -> off = 0 }
#ifdef BEGINS_REGARDLESS
  one_inside = 1;
#else
  if
  :: foreign_inside != 0 -> off = 1
  :: else -> one_inside = 1
  fi;
#endif
#ifndef BEGINS_WITHOUT_LOCK
  changing = 0;
#endif
  ST(W, INSIDE, 0);
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
    round++;
    ENTER();
    LOCK(W);
    SECTION();
    ST(W, WORD, 0);
    ST(W, INSIDE, 0)
  od
}

proctype foreign(byte me) {
  bool outside = 0;
  atomic { DRAINED(me) -> foreign_inside++ }
#ifdef FLAG_IS_ALL
  if
  :: one_inside -> end_exclusive(me)
  :: else
  fi;
#else
  if
  :: !off -> end_exclusive(me)
  :: else
  fi;
#endif
  LOCK(me);
  SECTION();
  ST(me, WORD, 0);
  atomic { DRAINED(me) -> foreign_inside-- } /* a locked instruction */
}

init {
  atomic {
    run worker();
    run foreign(1);
    run foreign(2)
  }
}
