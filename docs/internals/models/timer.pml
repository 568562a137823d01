/* A timer armed by a foreign thread: src/sync/time.cpp (announce), src/sched/idle.cpp (go_idle, sleep_listed). Checked by
 * run_models.sh.
 *
 * Threads: a foreign thread that arms a timer; the workers of two Ps, both about to go idle, one of them spinning (so
 * that others see no need to wake anybody). When all Ps are idle, ID-2 goes without its barrier: rings belong to who
 * holds a P, and the global queue is filled under mu. Timer heaps are neither, so the foreign thread brings its own fence.
 *
 * Property: when everybody sleeps, somebody sleeps with the timer as its time-out.
 *
 * MUTANTS: NO_FENCE NO_ANNOUNCEMENT NO_LOOK_AFTER_PUBLISHING
 */
#define N_THREADS 3
#define FOREIGN 0
#define PROCS 2

#define N_VARS 1
#define NEXT_WHEN 0 /* timer_heap::next_when_: 0 none, 1 armed */
#include "store_buffer.pml"

/* Changed by locked instructions only. */
byte idle_p_count = 0;
byte spinning = 1; /* worker 2 */

/* Guarded by mu. */
bool mu = 0;
bool listed[N_THREADS];
byte timekeeper = 0; /* 0: nobody */

bool signalled[N_THREADS];

/* Not in the program. */
bool asleep[N_THREADS];
bool armed = 0;

#define LOCK_MU(me) atomic { DRAINED(me) && !mu -> mu = 1 }
#define UNLOCK_MU(me) atomic { DRAINED(me) -> mu = 0 }
#define LOST (armed && asleep[0] && asleep[1] && listed[1] && asleep[2] && listed[2] && timekeeper == 0)

proctype foreign() {
  byte who = 0;
  ST(FOREIGN, NEXT_WHEN, 1);
  armed = 1;
#ifndef NO_FENCE
  DRAINED(FOREIGN);
#endif
#ifndef NO_ANNOUNCEMENT
  if
  :: idle_p_count != 0 && spinning == 0 ->
    DRAINED(FOREIGN);
    if
    :: atomic { spinning == 0 -> spinning = 1 }
      LOCK_MU(FOREIGN);
      if
      :: atomic { idle_p_count > 0 -> idle_p_count-- }
        d_step {
          if
          :: listed[1] -> who = 1
          :: else -> assert(listed[2]); who = 2
          fi;
          listed[who] = 0;
          if
          :: timekeeper == who -> timekeeper = 0
          :: else
          fi
        }
        signalled[who] = 1
      :: else -> spinning--
      fi;
      UNLOCK_MU(FOREIGN)
    :: else
    fi
  :: else
  fi;
#endif
  d_step { asleep[FOREIGN] = 1; assert(!LOST) }
}

proctype worker(byte me; bool spins) {
  bool timer = 0;

find_work: /* nothing is found: the timer is far away */
#ifdef NO_LOOK_AFTER_PUBLISHING
  timer = (LD(me, NEXT_WHEN) != 0);
#endif
  LOCK_MU(me);
  d_step { idle_p_count++; listed[me] = 1 }
  if
  :: d_step { spins -> spins = 0; spinning-- }
  :: else
  fi;
  if
  :: idle_p_count == PROCS -> UNLOCK_MU(me)
  :: else ->
    UNLOCK_MU(me);
    HEAVY(me) /* [ID-2] */
  fi;
#ifndef NO_LOOK_AFTER_PUBLISHING
  timer = (LD(me, NEXT_WHEN) != 0);
#endif
  LOCK_MU(me);
  if
  :: listed[me] && timer && idle_p_count > 0 && timekeeper == 0 -> timekeeper = me
  :: else
  fi;
  UNLOCK_MU(me);
  timer = 0;
  d_step { asleep[me] = 1; assert(!LOST) }
end:
  atomic { signalled[me] -> signalled[me] = 0; asleep[me] = 0; spins = 1 }
  goto find_work
}

init {
  atomic {
    run foreign();
    run worker(1, 0);
    run worker(2, 1)
  }
}
