/* Waiting for readiness: src/poll/poll_desc.h, src/sync/pollable.cpp. Checked by run_models.sh.
 *
 * Threads: a goroutine that reads (READER), as long as reading goes well; the one that has reports of the poller
 * (POLLER); a timer that fires the deadline (TIMER); somebody who closes (CLOSER); the last two perhaps. The kernel has data for the reader up
 * to twice and then perhaps the end of the stream, and tells the poller by edges. A read gets all there is and is short
 * by that, so that the next one goes to wait without a try (read_would_block). When nobody uses the descriptor any more
 * its object is taken by a second reader, for whom nothing ever comes (SECOND).
 *
 * Properties: when everybody rests, the reader does not wait although there is something to read, its deadline has
 * passed, or it was closed; nobody is resumed twice; the second reader is never told of anything.
 *
 * Left out: writing, which is the same; several who wait for one thing; moving deadlines, which is done under both locks.
 *
 * MUTANTS: FORGET_BY_STORE READY_LOOKED_AT_OUTSIDE CLOSING_LOOKED_AT_OUTSIDE EXPIRED_LOOKED_AT_OUTSIDE
 * MUTANTS: END_FORGOTTEN NO_GENERATION CLOSED_UNDER_USE
 */
#define N_THREADS 4
#define READER 0
#define POLLER 1
#define TIMER 2
#define CLOSER 3 /* and SECOND, when that is done */

#define N_VARS 3
#define LOCK 0
#define READY 1
#define ENDED 2
#include "store_buffer.pml"

/* The kernel. */
byte data = 0;
byte arrivals = 0;
bool fin = 0;
bool edge = 0;
bool fd_open = 1;

/* Guarded by the lock. */
byte queued = 0; /* 1: the first reader; 2: the second */
bool expired = 0;
bool closing = 0;
byte generation = 0;

/* pollable::state_. */
byte uses = 1; /* that of being open */
bool closed = 0;

bool resumed = 0;
bool parked = 0;
bool reused = 0;

#define SPINLOCK(me) atomic { DRAINED(me) && mem[LOCK] == 0 -> mem[LOCK] = 1 }
#define SPINUNLOCK(me) ST(me, LOCK, 0)

/* take_waiters_locked() */
inline take_waiter() {
  d_step {
    if
    :: queued == 1 -> queued = 0; took = 1
    :: queued == 2 -> assert(false)
    :: else
    fi
  }
}
/* make_ready(), after the lock was given back. Who goes on sees what was stored before. */
inline resume(me) {
  if
  :: took -> atomic { DRAINED(me) -> assert(!resumed); resumed = 1; took = 0 }
  :: else
  fi
}

/* The last use closes the descriptor and gives the object back. */
inline end_use(me) {
  atomic {
    DRAINED(me) -> uses--;
    if
    :: uses == 0 && closed -> fd_open = 0; edge = 0; last = 1
    :: else
    fi
  }
  if
  :: last ->
    SPINLOCK(me);
    d_step { generation++; closing = 0; expired = 0 }
    ST(me, READY, 0);
    ST(me, ENDED, 0);
    SPINUNLOCK(me);
    DRAINED(me);
    reused = 1;
    last = 0
  :: else
  fi
}

active proctype kernel() {
end:
  do
  :: d_step { fd_open && arrivals < 2 && !fin -> arrivals++; data = 1; edge = 1 }
  :: d_step { fd_open && arrivals > 0 && !fin -> fin = 1; edge = 1 }
  :: break /* nothing more ever comes */
  od
}

active proctype poller() {
  bool ends = 0;
  bool took = 0;
  byte about = 0;
end:
  do
  :: d_step { edge -> edge = 0; ends = fin; about = generation }
    SPINLOCK(POLLER);
    if
#ifdef NO_GENERATION
    :: !closing ->
#else
    :: about == generation && !closing ->
#endif
      if
      :: ends -> ST(POLLER, ENDED, 1)
      :: else
      fi;
      if
      :: queued != 0 -> take_waiter()
      :: else -> ST(POLLER, READY, 1)
      fi
    :: else
    fi;
    SPINUNLOCK(POLLER);
    resume(POLLER)
  od
}

active proctype timer() {
  bool took = 0;
  if
  :: skip
  :: skip -> goto stopped
  fi;
  SPINLOCK(TIMER);
  expired = (generation == 0);
  if
  :: expired -> take_waiter()
  :: else
  fi;
  SPINUNLOCK(TIMER);
  resume(TIMER);
stopped:
  skip
}

active proctype closer() {
  bool last = 0;
  bool took = 0;
  if
  :: skip -> goto done
  :: skip
  fi;
  atomic { DRAINED(CLOSER) -> closed = 1 }
  SPINLOCK(CLOSER);
  closing = 1;
  take_waiter();
  SPINUNLOCK(CLOSER);
  resume(CLOSER);
#ifdef CLOSED_UNDER_USE
  uses = 1;
#endif
  end_use(CLOSER);
done:
  /* the second reader */
end:
  reused;
  SPINLOCK(CLOSER);
  assert(LD(CLOSER, READY) == 0);
  queued = 2;
  SPINUNLOCK(CLOSER);
end2:
  false
}

active proctype reader() {
  bool last = 0;
  bool brief = 0;
  bool looked = 0;

call:
  atomic {
    DRAINED(READER);
    if
    :: closed -> goto done
    :: else -> uses++
    fi
  }
  if
  :: expired -> goto leave
  :: else
  fi;
  if
#ifdef END_FORGOTTEN
  :: brief && LD(READER, READY) == 0 -> brief = 0; goto wait
#else
  :: brief && LD(READER, READY) == 0 && LD(READER, ENDED) == 0 -> brief = 0; goto wait
#endif
  :: else -> brief = 0
  fi;
  /* forget_ready() */
  if
  :: LD(READER, READY) != 0 ->
#ifdef FORGET_BY_STORE
    ST(READER, READY, 0)
#else
    atomic { DRAINED(READER) -> mem[READY] = 0 }
#endif
  :: else
  fi;

try:
  assert(fd_open);
  if
  :: d_step { data > 0 -> data = 0; brief = 1 }
    end_use(READER);
    goto call
  :: d_step { data == 0 && fin -> skip }
    goto leave
  :: d_step { data == 0 && !fin -> skip }
  fi;

wait:
#ifdef READY_LOOKED_AT_OUTSIDE
  looked = (LD(READER, READY) != 0);
#endif
#ifdef CLOSING_LOOKED_AT_OUTSIDE
  if
  :: closing -> goto leave
  :: else
  fi;
#endif
#ifdef EXPIRED_LOOKED_AT_OUTSIDE
  if
  :: expired -> goto leave
  :: else
  fi;
#endif
  SPINLOCK(READER);
  if
#ifndef CLOSING_LOOKED_AT_OUTSIDE
  :: closing -> SPINUNLOCK(READER); goto leave
#endif
#ifndef EXPIRED_LOOKED_AT_OUTSIDE
  :: !closing && expired -> SPINUNLOCK(READER); goto leave
#endif
  :: else
  fi;
#ifndef READY_LOOKED_AT_OUTSIDE
  looked = (LD(READER, READY) != 0);
#endif
  if
  :: looked -> looked = 0; ST(READER, READY, 0); SPINUNLOCK(READER); goto try
  :: else
  fi;
  queued = 1;
  parked = 1;
  SPINUNLOCK(READER); /* by who runs on the thread next */
end:
  d_step { resumed -> resumed = 0; parked = 0 }
  if
  :: closing || expired -> goto leave
  :: else -> goto try
  fi;

leave:
  end_use(READER);
done:
  skip
}

active proctype judge() {
end:
  timeout;
  assert(!(parked && (data > 0 || fin || expired || closing)))
}
