/* Taking the P of a thread that is in a call: src/sched/away.cpp; essay "Blocking". Checked by run_models.sh.
 *
 * Threads: W, whose goroutine calls into the runtime, computes, or is in a section of blocking(), in any order; sysmon,
 * which takes its P, as from a section or as from a thread that the kernel says sleeps (which it may no longer do);
 * another worker, which uses the P meanwhile and then leaves it idle.
 *
 * Properties: never two at once who act as owner of the P's queue; whoever acts sees what the one before left; W acts
 * only with the P; a section that is over loses no P; W, which lost it, gets it back (no thread is stuck at the end).
 *
 * MUTANTS: NO_HEAVY_BARRIER NO_P_BIT BIT_AFTER_HOLD TRUST_FIRST_LOOK END_OUTSIDE NO_LOOK_AT_HOLD
 */
#define N_THREADS 3
#define W 0
#define SYSMON 1
#define OTHER 2
#define ITEMS 3
#define ROUNDS 2

#define N_VARS 5
#define INSIDE 0 /* W's worker::inside */
#define HAS_P 1  /* W's worker::p is the P; sysmon writes it too, by the hold */
#define HOLDER 2 /* processor::holder: 0 nobody, 1 W, 2 the other worker */
#define LENGTH 3 /* of the P's queue */
#define IN_CALL 4 /* W's worker::in_call */
#include "store_buffer.pml"

/* W's worker::attention, changed by locked instructions only. */
bool hold = 0;
bool no_p = 0;
/* The P is on the idle list; guarded by scheduler::mu, a locked instruction on either side. */
bool p_idle = 0;

/* Not in the program: who acts as owner, what the queue should hold, whether W is in a section. */
byte owners = 0;
byte left = ITEMS;
bool in_section = 0;

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

/* [EN-1], and the slow way. */
inline enter() {
  ST(W, INSIDE, 1);
  do
#ifndef NO_LOOK_AT_HOLD
  :: hold ->
    ST(W, INSIDE, 0);
    !hold;
    ST(W, INSIDE, 1)
  :: !hold && no_p ->
#else
  :: no_p ->
#endif
    atomic { DRAINED(W) -> no_p = 0 }
    atomic { DRAINED(W) && p_idle -> p_idle = 0 }
    ST(W, HAS_P, 1);
    ST(W, HOLDER, 1)
#ifndef NO_LOOK_AT_HOLD
  :: !hold && !no_p -> break
#else
  :: !no_p -> break
#endif
  od;
  skip /* spin wants no jump into a d_step */
}

inline call_in() {
  enter();
  assert(LD(W, HAS_P) == 1);
  act_as_owner(W);
  ST(W, INSIDE, 0) /* [EN-3] */
}

inline section() {
  in_section = 1;
  ST(W, IN_CALL, LD(W, IN_CALL) + 1); /* [AW-1] */
  if
  :: call_in()
  :: skip
  fi;
  enter();
#ifdef END_OUTSIDE
  in_section = 0;
  ST(W, INSIDE, 0);
  ST(W, IN_CALL, LD(W, IN_CALL) + 1)
#else
  ST(W, IN_CALL, LD(W, IN_CALL) + 1);
  in_section = 0;
  ST(W, INSIDE, 0)
#endif
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
    :: section()
    fi
  od
}

/* take_p_away() */
proctype sysmon() {
  byte n = 0;
  byte round = 0;
  byte call = 0;
  bool take = 0;
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
    round++;
    if
    :: LD(SYSMON, HOLDER) == 1 ->
      call = LD(SYSMON, IN_CALL);
      atomic { DRAINED(SYSMON) -> hold = 1 } /* [EN-2] */
#ifndef NO_HEAVY_BARRIER
      HEAVY(SYSMON);
#endif
      take = (LD(SYSMON, INSIDE) == 0);
      take = take && (LD(SYSMON, HAS_P) == 1);
#ifndef TRUST_FIRST_LOOK
      take = take && (LD(SYSMON, IN_CALL) == call);
#endif
      if
      :: take -> /* [AW-2] */
        assert((call & 1) == 0 || in_section);
        act_as_owner(SYSMON);
        ST(SYSMON, HAS_P, 0);
        ST(SYSMON, HOLDER, 0);
#if !defined(NO_P_BIT) && !defined(BIT_AFTER_HOLD)
        atomic { DRAINED(SYSMON) -> no_p = 1 }
#endif
      :: else
      fi;
      atomic { DRAINED(SYSMON) -> hold = 0 } /* [EN-4] */
      if
      :: take ->
#ifdef BIT_AFTER_HOLD
        no_p = 1;
#endif
        act_as_owner(SYSMON); /* hand_on() */
        atomic { DRAINED(SYSMON) -> p_idle = 1 }
      :: else
      fi;
      d_step { take = 0; call = 0 }
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
    run sysmon();
    run other_worker()
  }
}
