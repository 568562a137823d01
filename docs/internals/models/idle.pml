/* Sleeping and waking: src/sched/idle.cpp, essay "Sleeping and waking". Checked by run_models.sh.
 *
 * Threads: a goroutine that queues work in its P's ring and then computes without end (OWNER); a thread without a P that
 * queues to the global queue (FOREIGN); two workers, one awake with a P, one asleep beside an idle P. A goroutine that a
 * worker runs either ends soon or never. One time-out of a sleeper is possible at any moment (the timekeeper's).
 * sysmon, which repairs what nobody announced, is left out: the protocol must do without it.
 *
 * Property: when everybody sleeps, computes or is done, and nobody is being woken, then no work waits beside an idle P.
 *
 * Left out: timers, bound goroutines, the start of new threads (a worker that is listed stands for it), and how a ring is
 * taken over (hold.pml): a spinner takes what it can see.
 *
 * MUTANTS: NO_HEAVY_BARRIER NO_RECHECK NO_STOP_SPINNING_RECHECK NO_STOP_SPINNING_BARRIER SPINNING_DROPPED_LATE
 * MUTANTS: SPINNING_KEPT_IN_SLEEP
 */
#define N_THREADS 4
#define OWNER 0
#define FOREIGN 1
#define FIRST_WORKER 2

#define N_VARS 2
#define GLOBAL 0 /* scheduler::global_count: plain stores under mu, read by anyone */
#define TAIL 1   /* of the owner's ring */
#include "store_buffer.pml"

/* Changed by locked instructions only. */
byte idle_p_count = 1;
byte spinning = 0;
byte head = 0; /* of the owner's ring: advanced by a spinner at the end of a hold */

/* Guarded by mu. */
bool mu = 0;
byte global = 0;
bool listed[N_THREADS];

/* thread_event and what was written before its signal. */
bool signalled[N_THREADS];
bool handed_spinning[N_THREADS];

/* Not in the program: who has come to rest, and how much work waits, buffered stores included. */
#define AWAKE 0
#define ASLEEP 1
#define GONE 2 /* computes without end, or has ended */
byte rest[N_THREADS];
byte waiting = 0;
byte time_outs = 1;

#define AT_REST(t) (rest[t] == GONE || (rest[t] == ASLEEP && listed[t]))
#define LOST (AT_REST(0) && AT_REST(1) && AT_REST(2) && AT_REST(3) && waiting > 0 && idle_p_count > 0)
#define COME_TO_REST(me, how) d_step { rest[me] = how; assert(!LOST) }

#define LOCK_MU(me) atomic { DRAINED(me) && !mu -> mu = 1 }
#define UNLOCK_MU(me) atomic { DRAINED(me) -> mu = 0 }
#define LOOK_AT_QUEUES(me)                    \
  work = (LD(me, GLOBAL) != 0);               \
  if                                          \
  :: !work -> work = (LD(me, TAIL) != head)   \
  :: else                                     \
  fi

inline start_worker(me) {
  LOCK_MU(me);
  d_step {
    if
    :: listed[2] -> who = 2
    :: else -> assert(listed[3]); who = 3
    fi;
    listed[who] = 0;
    handed_spinning[who] = 1
  }
  UNLOCK_MU(me);
  d_step { signalled[who] = 1; who = 0 }
}

/* [ID-1]; the light barrier is nothing. */
inline wake_if_needed(me) {
  if
  :: idle_p_count == 0
  :: else ->
    if
    :: spinning != 0
    :: else ->
      DRAINED(me);
      if
      :: atomic { spinning == 0 -> spinning = 1 }
        LOCK_MU(me);
        if
        :: atomic { idle_p_count > 0 -> idle_p_count-- }
          UNLOCK_MU(me);
          start_worker(me)
        :: else ->
#ifdef SPINNING_DROPPED_LATE
          /* A P that goes idle now is seen together with our own `spinning`. */
          UNLOCK_MU(me);
          spinning--
#else
          spinning--;
          UNLOCK_MU(me)
#endif
        fi
      :: else
      fi
    fi
  fi
}

inline stop_spinning(me) {
  d_step { DRAINED(me); spins = 0; spinning-- }
#ifndef NO_STOP_SPINNING_RECHECK
  if
  :: idle_p_count == 0
  :: else ->
#ifndef NO_STOP_SPINNING_BARRIER
    HEAVY(me);
#endif
    LOOK_AT_QUEUES(me);
    if
    :: work -> work = 0; wake_if_needed(me)
    :: else
    fi
  fi
#endif
}

proctype owner() {
  byte who = 0;
  waiting++;
  ST(OWNER, TAIL, 1);
  wake_if_needed(OWNER);
  waiting++;
  ST(OWNER, TAIL, 2);
  wake_if_needed(OWNER);
  COME_TO_REST(OWNER, GONE)
}

proctype foreign() {
  byte who = 0;
  LOCK_MU(FOREIGN);
  d_step { waiting++; global++ }
  ST(FOREIGN, GLOBAL, global);
  UNLOCK_MU(FOREIGN);
  wake_if_needed(FOREIGN);
  COME_TO_REST(FOREIGN, GONE)
}

proctype worker(byte me; bool has_p) {
  byte who = 0;
  bool spins = 0;
  bool got = 0;
  bool work = 0;

  if
  :: has_p
  :: else -> goto sleep
  fi;

find_work:
  /* from_global() */
  if
  :: LD(me, GLOBAL) != 0 ->
    LOCK_MU(me);
    d_step {
      if
      :: global > 0 -> global--; waiting--; got = 1
      :: else
      fi
    }
    ST(me, GLOBAL, global);
    UNLOCK_MU(me)
  :: else
  fi;
  if
  :: got -> goto execute
  :: else
  fi;
  /* look_elsewhere(): whether it may spin depends on how many do; either is possible */
  if
  :: !spins ->
    if
    :: d_step { DRAINED(me); spinning++; spins = 1 }
    :: goto go_idle
    fi
  :: else
  fi;
  /* steal(): what is taken over goes through the global queue */
  if
  :: atomic { LD(me, TAIL) != head -> head++ }
    LOCK_MU(me);
    global++;
    ST(me, GLOBAL, global);
    UNLOCK_MU(me);
    goto find_work
  :: else
  fi;

go_idle:
  LOCK_MU(me);
  if
  :: global > 0 -> UNLOCK_MU(me); goto find_work
  :: else
  fi;
  d_step { idle_p_count++; listed[me] = 1 }
  if
#ifdef SPINNING_KEPT_IN_SLEEP
  :: spins -> spins = 0
#else
  :: d_step { spins -> spins = 0; spinning-- }
#endif
  :: else
  fi;
  UNLOCK_MU(me);
#ifndef NO_HEAVY_BARRIER
  HEAVY(me); /* [ID-2] */
#endif

look_again:
#ifndef NO_RECHECK
  LOOK_AT_QUEUES(me);
#endif
  LOCK_MU(me);
  if
  :: atomic { listed[me] && work && idle_p_count > 0 -> idle_p_count--; listed[me] = 0 }
    d_step { spinning++; spins = 1; work = 0 }
    UNLOCK_MU(me);
    goto find_work
  :: else -> work = 0
  fi;
  UNLOCK_MU(me);

sleep: /* spin allows no jump straight to a d_step */
  skip;
  COME_TO_REST(me, ASLEEP);
end:
  if
  :: d_step { signalled[me] -> signalled[me] = 0; rest[me] = AWAKE; spins = handed_spinning[me]; handed_spinning[me] = 0 }
    goto find_work
  :: d_step { time_outs > 0 && listed[me] -> time_outs--; rest[me] = AWAKE }
    LOCK_MU(me);
    if
    :: !listed[me] ->
      UNLOCK_MU(me);
      d_step { signalled[me] -> signalled[me] = 0; spins = handed_spinning[me]; handed_spinning[me] = 0 }
      goto find_work
    :: else
    fi;
    if
    :: atomic { idle_p_count > 0 -> idle_p_count--; listed[me] = 0 }
      UNLOCK_MU(me);
      goto find_work
    :: else ->
      UNLOCK_MU(me);
      goto look_again
    fi
  fi;

execute:
  got = 0;
  if
  :: spins -> stop_spinning(me)
  :: else
  fi;
  if
  :: goto find_work
  :: COME_TO_REST(me, GONE)
  fi
}

init {
  atomic {
    listed[3] = 1;
    run owner();
    run foreign();
    run worker(2, 1);
    run worker(3, 0)
  }
}
