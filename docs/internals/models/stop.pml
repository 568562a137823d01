/* Stopping the world: src/sched/stop.cpp; essay docs/internals/reports.md "All goroutines". Checked by run_models.sh.
 *
 * Threads: two workers, of which one has the only P at first, calls into the runtime with it, and leaves with it, makes
 * it idle, or hands it to the other, which then does the same; the stopper; a thief, which acts as the owner by a hold
 * of its own. A worker without a P is on its scheduling stack, inside, and waits to be handed one, or takes an idle one.
 * A second P would add nothing: each is looked at for itself, under the one mu.
 *
 * Properties: while the world is stopped nobody acts as owner of the P's queue; else never two at once; a worker is kept
 * waiting only while the world is stopped or the thief acts (no thread is stuck at the end).
 *
 * MUTANTS: NO_HEAVY_BARRIER WITHOUT_MU ON_ITS_WAY_IS_IDLE SHARED_HOLD NO_LOOK_AT_INSIDE NO_LOOK_AFTER_HOLD
 */
#define N_THREADS 4
#define STOPPER 2 /* 0 and 1 are the workers */
#define THIEF 3
#define CALLS 2 /* of each worker */
#define TRIES 2 /* of the stopper */

#define N_VARS 5
#define INSIDE 0 /* and 1: worker::inside */
#define HAS_P 2  /* and 3: worker::p is the P */
#define HOLDER 4 /* processor::holder: 0 nobody, else 1 + the worker */
#include "store_buffer.pml"

/* k_attn_hold of each worker's attention, changed by locked instructions only. */
bool hold[2];
/* scheduler::mu, and what it guards. */
bool mu = 0;
bool owned = 1; /* by a worker, or on its way to one; else it is on the idle list */
/* worker::handed_p with its signal, a locked instruction on either side. */
bool handed[2];

/* Not in the program: who acts as owner, and whether nobody may. */
byte owners = 0;
bool stopped = 0;

inline lock(me) { atomic { DRAINED(me) && !mu -> mu = 1 } }
inline unlock(me) { atomic { DRAINED(me) -> mu = 0 } }

inline act_as_owner() {
  d_step { owners++; assert(owners == 1 && !stopped) }
  d_step { assert(owners == 1 && !stopped); owners-- }
}

inline bind_p(me) {
  ST(me, HAS_P + me, 1);
  ST(me, HOLDER, 1 + me)
}

/* enter() and wait_while_held(); the light barrier is nothing. */
inline enter(me) {
  ST(me, INSIDE + me, 1); /* [EN-1] */
  do
  :: hold[me] ->
    ST(me, INSIDE + me, 0);
    !hold[me]; /* [EN-4] */
    ST(me, INSIDE + me, 1)
#ifdef NO_LOOK_AFTER_HOLD
    ; break
#endif
  :: !hold[me] -> break
  od;
  skip /* spin wants no jump into a d_step */
}

proctype worker(byte me) {
  byte calls = 0;
  if
  :: me == 1 -> goto without_p
  :: else
  fi;
outside:
  if
  :: calls == CALLS -> goto over /* it computes */
  :: else -> calls++
  fi;
  enter(me);
  act_as_owner();
  if
  :: ST(me, INSIDE + me, 0); /* [EN-3] */
    goto outside
  :: /* push_idle_p_locked() */
    ST(me, HAS_P + me, 0);
    lock(me);
    ST(me, HOLDER, 0);
    owned = 0;
    unlock(me)
  :: /* hand_on() */
    ST(me, HAS_P + me, 0);
    ST(me, HOLDER, 0);
    atomic { DRAINED(me) -> handed[1 - me] = 1 }
  fi;
without_p:
end:
  if
  :: atomic { DRAINED(me) && handed[me] -> handed[me] = 0 }
  :: !owned -> /* pop_idle_p_locked() */
    lock(me);
    if
    :: owned -> unlock(me); goto without_p
    :: !owned -> owned = 1; unlock(me)
    fi
  fi;
  bind_p(me);
  act_as_owner();
  ST(me, INSIDE + me, 0);
  goto outside;
over:
  skip
}

/* take_over_queue() */
proctype thief() {
  byte owner = 0;
  bool act = 0;
  owner = LD(THIEF, HOLDER);
  if
  :: owner != 0 ->
    owner--;
    if
    :: atomic { DRAINED(THIEF) && !hold[owner] -> hold[owner] = 1 } /* [EN-2] */
      HEAVY(THIEF);
      act = (LD(THIEF, INSIDE + owner) == 0);
      act = act && (LD(THIEF, HAS_P + owner) == 1);
      if
      :: act -> act_as_owner()
      :: else
      fi;
      atomic { DRAINED(THIEF) -> hold[owner] = 0 } /* [EN-4] */
    :: hold[owner]
    fi
  :: else
  fi
}

/* let_go() */
inline let_go(w) {
  if
  :: held[w] -> atomic { DRAINED(STOPPER) -> hold[w] = 0; held[w] = 0 } /* [EN-4] */
  :: else
  fi
}

/* world_stop::try_begin() and end(). What it holds it keeps from try to try, or lets go. */
proctype stopper() {
  bool held[2];
  bool all = 0;
  byte w = 0;
  byte tries = 0;
  do
  :: tries == TRIES -> break
  :: tries < TRIES ->
    tries++;
    lock(STOPPER);
    /* hold_all() */
    all = 1;
    if
    :: !owned
    :: owned ->
      w = LD(STOPPER, HOLDER);
      if
#ifdef ON_ITS_WAY_IS_IDLE
      :: w == 0
#else
      :: w == 0 -> all = 0
#endif
      :: w != 0 && held[w - 1]
      :: w != 0 && !held[w - 1] ->
        if
        :: atomic { DRAINED(STOPPER) && !hold[w - 1] -> hold[w - 1] = 1; held[w - 1] = 1 } /* [EN-2] */
#ifdef SHARED_HOLD
        :: hold[w - 1] -> held[w - 1] = 1
#else
        :: hold[w - 1] -> all = 0
#endif
        fi
      fi
    fi;
#ifndef NO_HEAVY_BARRIER
    HEAVY(STOPPER);
#endif
    /* all_stopped() */
    if
    :: !all || !owned
    :: all && owned ->
      w = LD(STOPPER, HOLDER);
      if
#ifdef ON_ITS_WAY_IS_IDLE
      :: w == 0
#else
      :: w == 0 -> all = 0
#endif
      :: w != 0 ->
        w--;
        all = held[w];
#ifndef NO_LOOK_AT_INSIDE
        all = all && (LD(STOPPER, INSIDE + w) == 0);
#endif
        all = all && (LD(STOPPER, HAS_P + w) == 1)
      fi
    fi;
#ifdef WITHOUT_MU
    unlock(STOPPER);
#endif
    if
    :: all ->
      d_step { assert(owners == 0); stopped = 1 }
      d_step { assert(owners == 0); stopped = 0 }
      let_go(0);
      let_go(1)
    :: else
    fi;
#ifndef WITHOUT_MU
    unlock(STOPPER);
#endif
    if
    :: let_go(0);
      let_go(1)
    :: skip
    fi
  od;
  let_go(0);
  let_go(1)
}

init {
  atomic {
    mem[INSIDE + 1] = 1;
    mem[HAS_P] = 1;
    mem[HOLDER] = 1;
    run worker(0);
    run worker(1);
    run stopper();
    run thief()
  }
}
