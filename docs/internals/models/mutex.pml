/* pirn::mutex: src/sync/mutex.cpp and include/pirn/sync/mutex.h. Checked by run_models.sh.
 *
 * Three goroutines, each on a worker of its own, lock and unlock ROUNDS times. Whether a waiter has waited long, and so
 * is starving, is decided freely at each wake-up; so is whether one spins before it queues (it may try once more at any
 * time). park() and resume() are taken as right (park.pml).
 *
 * Properties: mutual exclusion; nobody is stuck at the end; the word is zero then; and the invariant:
 *   whoever stands in the queue is served by somebody who is on the way: the lock is held (its holder will see the
 *   waiters bit, which only changes with the queue), or a woken waiter has yet to try.
 *
 * MUTANTS: BARGER_CLEARS_WAITERS UNLOCKER_FORGETS_WAITERS QUEUE_BEHIND_NOBODY HANDS_OVER_WHAT_IS_FREE
 */
#define N_THREADS 3
#define ROUNDS 2

#define N_VARS 5
#define STATE 0  /* mutex::state_: all but the stores of an unlocker with waiters are locked instructions */
#define BUCKET 1 /* parking_bucket::mu */
#define WOKEN 2  /* of waiter n at WOKEN + n: the plain store with which resume() begins */
#include "store_buffer.pml"

#define LOCKED 1
#define WAITERS 2
#define STARVING 4
#define NONE 9

/* The bucket's queue, first to last; guarded by BUCKET. */
byte queue[N_THREADS] = NONE;
byte queued = 0;

/* parked_node::handed_over; guarded by BUCKET, and read by the waiter once it was woken. */
bool handed_over[N_THREADS];

/* Not in the program. */
byte holders = 0;
byte done = 0;
byte on_the_way = 0; /* waiters that were woken without the lock and have not tried yet */

#define LOCK_BUCKET(me) atomic { DRAINED(me) && mem[BUCKET] == 0 -> mem[BUCKET] = 1 }
#define CHECK_INVARIANT() \
  assert(queued == 0 || (LD(me, STATE) & LOCKED) != 0 || on_the_way > 0)

/* One compare-and-swap of try_lock() that succeeds, or its finding that it may not. */
inline try_lock(me) {
  atomic {
    DRAINED(me);
    if
    :: (mem[STATE] & LOCKED) == 0 ->
#ifdef BARGER_CLEARS_WAITERS
      mem[STATE] = LOCKED;
#else
      mem[STATE] = mem[STATE] | LOCKED;
#endif
      got = 1
    :: else
    fi;
    if
    :: tries -> tries = 0; on_the_way--
    :: else
    fi
  }
}

inline push_front(me) {
  d_step {
    queue[2] = queue[1];
    queue[1] = queue[0];
    queue[0] = me;
    queued++
  }
}

inline push_back(me) {
  d_step {
    queue[queued] = me;
    queued++
  }
}

inline pop_front() {
  d_step {
    n = queue[0];
    queue[0] = queue[1];
    queue[1] = queue[2];
    queue[2] = NONE;
    queued--
  }
}

inline lock(me) {
  starving = 0;
  waited = 0;
  do
  :: try_lock(me);
    if
    :: got -> break
    :: else
    fi;
    LOCK_BUCKET(me);
    atomic {
      DRAINED(me);
#ifndef QUEUE_BEHIND_NOBODY
      held = (mem[STATE] & LOCKED) != 0;
      if
      :: held -> mem[STATE] = mem[STATE] | WAITERS | (starving -> STARVING : 0)
      :: else
      fi
#else
      held = 1;
      mem[STATE] = mem[STATE] | WAITERS | (starving -> STARVING : 0)
#endif
    }
    if
    :: !held -> ST(me, BUCKET, 0)
    :: else ->
      if
      :: waited -> push_front(me)
      :: else -> waited = 1; push_back(me)
      fi;
      CHECK_INVARIANT();
      ST(me, WOKEN + me, 0);
      ST(me, BUCKET, 0); /* by the successor */
      LD(me, WOKEN + me) == 1;
      if
      :: starving = 1 /* it has waited long */
      :: starving = 0
      fi;
      if
      :: handed_over[me] ->
        handed_over[me] = 0;
        if
        :: !starving ->
          LOCK_BUCKET(me);
          atomic { DRAINED(me) -> mem[STATE] = mem[STATE] & ~STARVING }
          CHECK_INVARIANT();
          ST(me, BUCKET, 0)
        :: else
        fi;
        got = 1;
        break
      :: else -> tries = 1
      fi
    fi
  od;
  got = 0;
  held = 0
}

inline unlock(me) {
  atomic {
    DRAINED(me);
    alone = (mem[STATE] == LOCKED);
    if
    :: alone -> mem[STATE] = 0
    :: else
    fi
  }
  if
  :: alone
  :: else ->
    LOCK_BUCKET(me);
    seen = LD(me, STATE);
    assert((seen & LOCKED) != 0 && queued > 0); /* but for the end of a run */
    pop_front();
#ifdef UNLOCKER_FORGETS_WAITERS
    more = 0;
#else
    more = (queued > 0);
#endif
    if
    :: (seen & STARVING) != 0 ->
      handed_over[n] = 1;
#ifdef HANDS_OVER_WHAT_IS_FREE
      ST(me, STATE, (more -> WAITERS | STARVING : 0))
#else
      ST(me, STATE, LOCKED | (more -> WAITERS | STARVING : 0))
#endif
    :: else ->
      on_the_way++;
      ST(me, STATE, (more -> WAITERS : 0))
    fi;
    CHECK_INVARIANT();
    ST(me, BUCKET, 0);
    ST(me, WOKEN + n, 1)
  fi;
  alone = 0;
  more = 0;
  seen = 0;
  n = NONE
}

proctype goroutine(byte me) {
  byte round = 0;
  bool got = 0;
  bool held = 0;
  bool starving = 0;
  bool waited = 0;
  bool tries = 0;
  bool alone = 0;
  bool more = 0;
  byte seen = 0;
  byte n = NONE;
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
    round++;
    lock(me);
    d_step { holders++; assert(holders == 1) }
    holders--;
    unlock(me)
  od;
  done++;
  assert(done < N_THREADS || mem[STATE] == 0)
}

init {
  atomic {
    run goroutine(0);
    run goroutine(1);
    run goroutine(2)
  }
}
