/* Entries and holds: src/sched/entry.h, entry.cpp, steal.cpp (take_over_queue); essay "Entries". Checked by
 * run_models.sh.
 *
 * Threads: the worker W, whose goroutine calls into the runtime; at the end of a call it may give its P up, wait for
 * it outside, and become inside again other than by enter(), as stop_in_place() and a thread that begins do (in_place.pml
 * has the handler and the queue of those that wait); two thieves (a spinner and sysmon); another worker that takes W's
 * P while it is idle. How a P is taken from who is in a call is away.pml's.
 *
 * Properties: never two at once who act as owner of the P's queue; whoever acts sees what the one before left; W is kept
 * waiting only while a thief acts (no thread is stuck at the end).
 *
 * The look that wait_while_held() takes before it returns is not needed where enter_slow() called it, which looks once
 * more by itself; the other callers rely on it. The mutant NO_LOOK_AFTER_HOLD leaves both out.
 *
 * MUTANTS: NO_HEAVY_BARRIER NO_LOOK_AFTER_HOLD NO_P_CHECK LEAVE_THEN_HAND_ON BACK_WITHOUT_LOOK
 */
#define N_THREADS 4
#define W 0
#define OTHER 3 /* the worker beside it; 1 and 2 are the thieves */
#define ITEMS 3
#define ROUNDS 2

#define N_VARS 4
#define INSIDE 0 /* W's worker::inside */
#define HAS_P 1  /* W's worker::p is the P */
#define HOLDER 2 /* processor::holder: 0 nobody, 1 W, 2 the other worker */
#define LENGTH 3 /* of the P's queue */
#include "store_buffer.pml"

/* W's worker::attention, changed by locked instructions only. */
bool hold = 0;
/* The P is on the idle list; guarded by scheduler::mu, a locked instruction on either side. */
bool p_idle = 0;

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
    !hold; /* [EN-4] */
    ST(W, INSIDE, 1);
#ifdef NO_LOOK_AFTER_HOLD
    break
#else
    if
    :: !hold -> break
    :: else
    fi
#endif
  od
}

inline hand_on() {
  act_as_owner(W);
  ST(W, HAS_P, 0);
  ST(W, HOLDER, 0);
  atomic { DRAINED(W) -> p_idle = 1 }
}

/* [EN-1]; the light barrier is nothing. */
inline enter() {
  ST(W, INSIDE, 1);
  do
  :: hold ->
    wait_while_held()
#ifdef NO_LOOK_AFTER_HOLD
    ; break
#endif
  :: !hold -> break
  od;
  skip /* spin wants no jump into a d_step */
}

inline call_in() {
  enter();
  act_as_owner(W);
  ST(W, INSIDE, 0) /* [EN-3] */
}

/* The P goes while W is inside, and it waits outside. */
inline call_in_and_stop() {
  enter();
  act_as_owner(W);
#ifdef LEAVE_THEN_HAND_ON
  ST(W, INSIDE, 0);
  hand_on();
#else
  hand_on();
  ST(W, INSIDE, 0);
#endif
  atomic { DRAINED(W) && p_idle -> p_idle = 0 }
  ST(W, INSIDE, 1);
#ifndef BACK_WITHOUT_LOOK
  if
  :: hold -> wait_while_held()
  :: else
  fi;
#endif
  skip;
  ST(W, HAS_P, 1);
  ST(W, HOLDER, 1);
  act_as_owner(W);
  ST(W, INSIDE, 0)
}

proctype goroutine() {
  byte n = 0;
  byte round = 0;
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
    round++;
    if
    :: call_in()
    :: call_in_and_stop()
    fi
  od
}

/* take_over_queue() */
proctype thief(byte me) {
  byte n = 0;
  byte round = 0;
  bool outside = 0;
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
    round++;
    if
    :: LD(me, HOLDER) == 1 ->
      if
      :: atomic { DRAINED(me) && !hold -> hold = 1 } /* [EN-2] */
#ifndef NO_HEAVY_BARRIER
        HEAVY(me);
#endif
        outside = (LD(me, INSIDE) == 0);
        if
#ifdef NO_P_CHECK
        :: outside -> act_as_owner(me)
        :: else
#else
        :: outside && LD(me, HAS_P) == 1 -> act_as_owner(me)
        :: else
#endif
        fi;
        atomic { DRAINED(me) -> hold = 0; outside = 0 } /* [EN-4] */
      :: hold
      fi
    :: else
    fi
  od
}

proctype other_worker() {
  byte n = 0;
  if
  :: atomic { DRAINED(OTHER) && p_idle -> p_idle = 0 }
    ST(OTHER, HOLDER, 2);
    act_as_owner(OTHER);
    ST(OTHER, HOLDER, 0);
    atomic { DRAINED(OTHER) -> p_idle = 1 }
  :: skip /* never */
  fi
}

init {
  atomic {
    mem[HAS_P] = 1;
    mem[HOLDER] = 1;
    mem[LENGTH] = ITEMS;
    run goroutine();
    run thief(1);
    run thief(2);
    run other_worker()
  }
}
