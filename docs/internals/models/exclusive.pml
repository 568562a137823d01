/* Leaving the mode in which spinlocks need no locked instruction: src/sched/exclusive.cpp, src/os/spinlock.h. Checked by
 * run_models.sh.
 *
 * Threads: the worker that holds the only P, whose goroutine locks and unlocks a channel; two foreign threads that come
 * to do the same. The first to come ends the mode.
 *
 * Either of the two barriers alone would do here; the program needs the first where the P has no holder to look at.
 *
 * Property: one at a time in the section that the spinlock guards, and everybody gets to its end.
 *
 * MUTANTS: NO_BARRIERS NO_WAIT_FOR_OUTSIDE FLAG_IS_ALL
 */
#define N_THREADS 3
#define W 0
#define ROUNDS 3

#define N_VARS 2
#define INSIDE 0
#define WORD 1 /* the spinlock */
#include "store_buffer.pml"

/* Changed by locked instructions, or by one thread under `ending`. */
bool one_inside = 1;
bool left_completely = 0;
bool ending = 0;
bool hold = 0;

/* Not in the program. */
byte holders = 0;

#define LOCK_WITH_EXCHANGE(me) atomic { DRAINED(me) && mem[WORD] == 0 -> mem[WORD] = 1 }
#define SECTION() d_step { holders++; assert(holders == 1) } holders--

proctype worker() {
  byte round = 0;
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
    round++;
    do /* enter() and wait_while_held() */
    :: ST(W, INSIDE, 1);
      if
      :: hold -> ST(W, INSIDE, 0); !hold
      :: else -> break
      fi
    od;
    if
    :: one_inside ->
      if
      :: LD(W, WORD) == 0 -> ST(W, WORD, 1)
      :: else -> LOCK_WITH_EXCHANGE(W)
      fi
    :: else -> LOCK_WITH_EXCHANGE(W)
    fi;
    SECTION();
    ST(W, WORD, 0);
    ST(W, INSIDE, 0)
  od
}

inline end_exclusive() {
  atomic { DRAINED(me) && !ending -> ending = 1 }
  if
  :: left_completely
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
    left_completely = 1
  fi;
  atomic { DRAINED(me) -> ending = 0 }
}

proctype foreign(byte me) {
  bool outside = 0;
#ifdef FLAG_IS_ALL
  if
  :: one_inside -> end_exclusive()
  :: else
  fi;
#else
  if
  :: !left_completely -> end_exclusive()
  :: else
  fi;
#endif
  LOCK_WITH_EXCHANGE(me);
  SECTION();
  ST(me, WORD, 0)
}

init {
  atomic {
    run worker();
    run foreign(1);
    run foreign(2)
  }
}
