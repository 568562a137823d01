/* Waits that a context ends: src/sync/cancellation.h; essay "Waiting with a context". Checked by run_models.sh.
 *
 * One waiter, one who cancels its context, and one who may bring what it waits for. The waiter stands in two lists: the
 * context's and the queue's, each with its spinlock. Whoever takes it off the queue resumes it.
 *
 * Properties: the waiter always comes back, by one who resumes it, once; what was brought is taken by the waiter or still
 * there; nobody touches the waiter's node once it has come back.
 *
 * MUTANTS: NEVER_LOOKS LOOKS_BEFORE_THE_LOCK ASKS_LAST WAKES_WHO_IS_TAKEN LEAVES_WITHOUT_THE_LOCK
 */
#define N_THREADS 3
#define N_VARS 4
#define CONTEXT 0 /* cancel_node::mu: taken by a locked instruction, given back by a plain store */
#define QUEUE 1   /* the lock of the queue */
#define ASKED 2   /* cancellation::asked_ */
#define WOKEN 3   /* waiter::woken, or what ready() begins with */
#include "store_buffer.pml"

#define WAITER 0
#define CANCELLER 1
#define BRINGER 2

bool error = 0;     /* cancel_head::error; guarded by CONTEXT */
bool linked = 0;    /* context_child::linked; guarded by CONTEXT */
bool queued = 0;    /* the node's; guarded by QUEUE */
bool there = 0;     /* what is waited for, free to be taken; guarded by QUEUE */
bool withdrawn = 0; /* cancellation::withdrawn_: by who withdrew it, before he resumes it */
bool served = 0;    /* by who took it off the queue, before he resumes it */

/* Not in the program. */
bool brought = 0;
bool got = 0;
bool gone = 0;
byte made_ready = 0;
byte ended = 0;

#define SPINLOCK(me, l) atomic { DRAINED(me) && mem[l] == 0 -> mem[l] = 1 }
#define SPINUNLOCK(me, l) ST(me, l, 0)

inline resume(me) {
  assert(!gone);
  made_ready++;
  ST(me, WOKEN, 1)
}

active proctype waiter() {
  bool asked = 0;
  SPINLOCK(WAITER, CONTEXT); /* cancellation::begin(), [CW-1] */
  if
  :: error -> SPINUNLOCK(WAITER, CONTEXT); goto back
  :: else -> linked = 1; SPINUNLOCK(WAITER, CONTEXT)
  fi;
#ifdef LOOKS_BEFORE_THE_LOCK
  asked = LD(WAITER, ASKED);
#endif
  SPINLOCK(WAITER, QUEUE);
  if
  :: there -> there = 0; got = 1; SPINUNLOCK(WAITER, QUEUE); goto leave
  :: else
  fi;
#ifndef NEVER_LOOKS
#ifndef LOOKS_BEFORE_THE_LOCK
  asked = LD(WAITER, ASKED);
#endif
#endif
  if
  :: asked -> SPINUNLOCK(WAITER, QUEUE); goto leave
  :: else
  fi;
  queued = 1;
  SPINUNLOCK(WAITER, QUEUE); /* by the successor */
  LD(WAITER, WOKEN) == 1;
  assert(made_ready == 1 && withdrawn != served);
  got = served;
  if
  :: withdrawn -> goto back
  :: else
  fi;
leave: /* [CW-3] */
#ifndef LEAVES_WITHOUT_THE_LOCK
  SPINLOCK(WAITER, CONTEXT);
  linked = 0;
  SPINUNLOCK(WAITER, CONTEXT);
#endif
back:
  gone = 1;
  ended++
}

active proctype canceller() {
  bool mine = 0;
  SPINLOCK(CANCELLER, CONTEXT);
  error = 1;
  if
  :: linked -> /* [CW-2] */
    linked = 0;
    assert(!gone);
#ifndef ASKS_LAST
    ST(CANCELLER, ASKED, 1);
#endif
    SPINLOCK(CANCELLER, QUEUE);
    assert(!gone);
#ifdef WAKES_WHO_IS_TAKEN
    mine = 1;
#else
    mine = queued;
#endif
    queued = 0;
    SPINUNLOCK(CANCELLER, QUEUE);
#ifdef ASKS_LAST
    ST(CANCELLER, ASKED, 1);
#endif
    if
    :: mine -> withdrawn = 1
    :: else
    fi
  :: else
  fi;
  SPINUNLOCK(CANCELLER, CONTEXT);
  if
  :: mine -> resume(CANCELLER)
  :: else
  fi;
  ended++
}

active proctype bringer() {
  bool mine = 0;
  if
  :: 1 /* it does not come */
  :: 1 ->
    brought = 1;
    SPINLOCK(BRINGER, QUEUE);
    mine = queued;
    if
    :: mine -> queued = 0
    :: else -> there = 1
    fi;
    SPINUNLOCK(BRINGER, QUEUE);
    if
    :: mine -> served = 1; resume(BRINGER)
    :: else
    fi
  fi;
  ended++
}

active proctype at_the_end() {
end:
  ended == 3;
  assert(brought == (got || there))
}
