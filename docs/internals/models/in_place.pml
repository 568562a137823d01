/* Stopping in place: src/sched/in_place.cpp; essay "Stopped in place". Checked by run_models.sh.
 *
 * Threads: W, whose goroutine computes and calls into the runtime in turn, with the handler of the stop signal, which may
 * run between any two of its steps; sysmon, which asks it to stop and also acts as the owner of its P by a hold, as a
 * thief does; another worker, which gets the P when W hands it on.
 *
 * Properties: never two at once who act as owner of the P's queue, and none of them in the middle of another one's work;
 * whoever acts sees what the one before left; W, once stopped, is granted a P (no thread is stuck at the end).
 *
 * MUTANTS: NO_HEAVY_BARRIER NO_HOLD_LOOK STOP_INSIDE QUEUE_LAST IDLE_WITHOUT_LOOK NO_LOOK_AFTER_GRANT
 */
#define N_THREADS 3
#define W 0
#define SYSMON 1
#define OTHER 2
#define ITEMS 3
#define CALLS 1  /* of W, with an instant before, in and after each at which the signal may come */
#define ROUNDS 2 /* of sysmon */

#define N_VARS 4
#define INSIDE 0 /* W's worker::inside */
#define HAS_P 1  /* W's worker::p is the P */
#define HOLDER 2 /* processor::holder: 0 nobody, 1 W, 2 the other worker */
#define LENGTH 3 /* of the P's queue */
#include "store_buffer.pml"

/* W's worker::attention and stop_asked, changed by locked instructions only. */
bool hold = 0;
bool yield = 0;
bool asked = 0;
/* Guarded by scheduler::mu, a locked instruction on either side: each critical section is one step. */
bool p_idle = 0;
bool queued = 0;
/* Signals, a locked instruction on either side. */
bool granted = 0;
bool to_other = 0;

/* Not in the program: who acts as owner, and what the queue should hold. */
byte owners = 0;
byte left = ITEMS;

inline act_as_owner(me) {
  d_step { owners++; assert(owners == 1) }
  n = LD(me, LENGTH);
  assert(n == left);
  if
  :: n > 0 -> left--; ST(me, LENGTH, n - 1)
  :: else
  fi;
  d_step { n = 0; owners-- }
}

inline wait_while_held() {
  do
  :: ST(W, INSIDE, 0);
    !hold;
    ST(W, INSIDE, 1);
    if
    :: !hold -> break
    :: else
    fi
  od;
  skip /* spin wants no jump into a d_step */
}

/* push_idle_p_locked(), by thread me. */
inline make_idle(me) {
  skip;
#ifdef IDLE_WITHOUT_LOOK
  atomic { DRAINED(me) -> p_idle = 1 }
#else
  atomic {
    DRAINED(me) ->
    if
    :: queued -> queued = 0; granted = 1 /* [IP-2], [IP-3] */
    :: else -> p_idle = 1
    fi
  }
#endif
}

/* hand_on(): there is work for a worker, or there is none. */
inline hand_on() {
  act_as_owner(W);
  if
  :: atomic { DRAINED(W) -> to_other = 1 }
  :: make_idle(W)
  fi
}

/* stop_in_place(); W is inside and has the P. */
inline stop_in_place() {
  ST(W, HAS_P, 0);
  ST(W, HOLDER, 0);
#ifdef QUEUE_LAST
  hand_on();
  atomic { DRAINED(W) -> queued = 1 }
#else
  atomic { DRAINED(W) -> queued = 1 } /* it has the P, so none is idle */
  hand_on();
#endif
  ST(W, INSIDE, 0);
  atomic { DRAINED(W) && granted -> granted = 0 }
  ST(W, INSIDE, 1);
#ifndef NO_LOOK_AFTER_GRANT
  if
  :: hold -> wait_while_held()
  :: else
  fi;
#endif
  skip;
  ST(W, HAS_P, 1);
  ST(W, HOLDER, 1);
  act_as_owner(W) /* take_up() writes to the P */
}

/* The signal, at an instant when W is outside. */
inline handler_outside() {
  if
  :: atomic { DRAINED(W) && asked -> asked = 0 }
    ST(W, INSIDE, 1); /* [IP-1] */
#ifdef NO_HOLD_LOOK
    stop_in_place();
#else
    if
    :: hold /* backs out */
    :: else -> stop_in_place()
    fi;
#endif
    ST(W, INSIDE, 0)
  :: skip /* not now */
  fi
}

/* The same, while it is inside. */
inline handler_inside() {
  if
  :: atomic { DRAINED(W) && asked -> asked = 0; yield = 1 }
#ifdef STOP_INSIDE
    stop_in_place()
#endif
  :: skip
  fi
}

/* As wait_while_held(), where the signal may come. */
inline wait_in_enter() {
  do
  :: ST(W, INSIDE, 0);
    handler_outside();
    !hold;
    ST(W, INSIDE, 1);
    if
    :: !hold -> break
    :: else
    fi
  od;
  skip /* spin wants no jump into a d_step */
}

proctype goroutine() {
  byte n = 0;
  byte round = 0;
  do
  :: round == CALLS -> break
  :: round < CALLS ->
    round++;
    handler_outside();
    /* enter() */
    ST(W, INSIDE, 1);
    if
    :: hold -> wait_in_enter()
    :: else
    fi;
    d_step { owners++; assert(owners == 1) }
    n = LD(W, LENGTH);
    assert(n == left);
    handler_inside(); /* in the middle of the work on the P */
    if
    :: n > 0 -> left--; ST(W, LENGTH, n - 1)
    :: else
    fi;
    d_step { n = 0; owners-- }
    /* leave() */
    if
    :: yield -> yield = 0; stop_in_place()
    :: else
    fi;
    ST(W, INSIDE, 0)
  od
}

proctype sysmon() {
  byte n = 0;
  byte round = 0;
  bool outside = 0;
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
    round++;
    if
    :: atomic { DRAINED(SYSMON) -> asked = 1 }
    :: LD(SYSMON, HOLDER) == 1 ->
      atomic { DRAINED(SYSMON) -> hold = 1 } /* [EN-2] */
#ifndef NO_HEAVY_BARRIER
      HEAVY(SYSMON);
#endif
      outside = (LD(SYSMON, INSIDE) == 0);
      if
      :: outside && LD(SYSMON, HAS_P) == 1 -> act_as_owner(SYSMON)
      :: else
      fi;
      atomic { DRAINED(SYSMON) -> hold = 0; outside = 0 } /* [EN-4] */
    :: skip
    fi
  od
}

proctype other_worker() {
  byte n = 0;
end:
  do
  :: atomic { DRAINED(OTHER) && to_other -> to_other = 0 }
    ST(OTHER, HOLDER, 2);
    act_as_owner(OTHER);
    ST(OTHER, HOLDER, 0);
    make_idle(OTHER)
  od
}

init {
  atomic {
    mem[HAS_P] = 1;
    mem[HOLDER] = 1;
    mem[LENGTH] = ITEMS;
    run goroutine();
    run sysmon();
    run other_worker()
  }
}
