/* Park and ready: src/sched/park.cpp, src/sync/wait.h; essay "Park and ready". Checked by run_models.sh.
 *
 * Two workers run three goroutines. Together they do OPS operations on one wait queue: who finds a waiter takes it off
 * and makes it ready, who finds none queues itself and parks. Each yields at most once, by its P's own queue or, as when
 * that is full, by the global one. A goroutine that was made ready goes to the waker's own queue or, as when it is
 * shared, to the global one. What follows a switch (giving the lock back, queuing to the global queue) is done by the
 * successor: the next goroutine, or the scheduling stack.
 *
 * Properties: no goroutine runs on two workers at once; whoever goes on finds the context that was saved last; none is
 * lost (OPS is even, so every one that parks is made ready, and everybody ends).
 *
 * MUTANTS: UNLOCK_BEFORE_SWITCH REQUEUE_BEFORE_SWITCH
 */
#define N_THREADS 2
#define GOROUTINES 3
#define OPS 6
#define NONE 9

#define N_VARS 5
#define LOCK 0  /* the queue's spinlock: taken by a locked instruction, given back by a plain store */
#define QUEUE 1 /* 0, or 1 + who waits; guarded by LOCK */
#define CTX 2   /* of goroutine g at CTX + g: goroutine::ctx, here the number of times it was saved */
#include "store_buffer.pml"

/* The global queue; guarded by scheduler::mu, a locked instruction on either side. */
bool queued[GOROUTINES];

/* Not in the program. */
bool on_a_worker[GOROUTINES];
byte saved[GOROUTINES];
byte ops = 0; /* guarded by LOCK */
bool yielded[GOROUTINES];
byte ended = 0;

#define SPINLOCK(me) atomic { DRAINED(me) && mem[LOCK] == 0 -> mem[LOCK] = 1 }
#define SPINUNLOCK(me) ST(me, LOCK, 0)
#define PUSH_GLOBAL(me, g) atomic { DRAINED(me) -> queued[g] = 1 }
#define POP_GLOBAL(me, g) atomic { DRAINED(me) && queued[g] -> queued[g] = 0; cur = g }

/* What the successor does first: landed(). */
inline after_work() {
  if
  :: unlock -> unlock = 0; SPINUNLOCK(me)
  :: !unlock && requeue != NONE -> PUSH_GLOBAL(me, requeue); requeue = NONE
  :: else
  fi
}

inline save_context(g) {
  d_step { saved[g]++; v = saved[g] }
  ST(me, CTX + g, v);
  v = 0
}

/* switch_goroutines() or switch_to_scheduler(): to `next`, if there is one. */
inline leave_stack() {
  save_context(cur);
  on_a_worker[cur] = 0;
  cur = successor;
  successor = NONE
}

inline ready(g) {
  if
  :: next == NONE -> next = g
  :: next != NONE -> PUSH_GLOBAL(me, next); next = g
  :: PUSH_GLOBAL(me, g)
  fi
}

proctype worker(byte me) {
  byte cur = NONE;       /* worker::current */
  byte next = NONE;      /* its P's own queue */
  byte successor = NONE;
  bool unlock = 0;       /* worker::after */
  byte requeue = NONE;
  byte v = 0;
  byte q = 0;

schedule:
  if
  :: next != NONE -> cur = next; next = NONE
  :: POP_GLOBAL(me, 0)
  :: POP_GLOBAL(me, 1)
  :: POP_GLOBAL(me, 2)
  :: ended == GOROUTINES -> goto end
  fi;

resume:
  assert(!on_a_worker[cur]);
  on_a_worker[cur] = 1;
  v = LD(me, CTX + cur);
  assert(v == saved[cur]);
  v = 0;
  after_work();

goes_on:
  if
  :: SPINLOCK(me);
    q = LD(me, QUEUE);
    if
    :: ops == OPS ->
      SPINUNLOCK(me);
      d_step { on_a_worker[cur] = 0; cur = NONE; ended++ }
      goto schedule
    :: ops < OPS && q != 0 ->
      ops++;
      ST(me, QUEUE, 0);
      SPINUNLOCK(me);
      ready(q - 1);
      q = 0;
      goto goes_on
    :: ops < OPS && q == 0 ->
      ops++;
      ST(me, QUEUE, cur + 1);
#ifdef UNLOCK_BEFORE_SWITCH
      SPINUNLOCK(me);
#else
      unlock = 1;
#endif
      successor = next;
      next = NONE
    fi
  :: !yielded[cur] && next != NONE ->
    /* In the own queue before it has left its stack: nobody else takes from there while this worker is inside. */
    d_step { yielded[cur] = 1; successor = next; next = cur }
  :: !yielded[cur] ->
    d_step { yielded[cur] = 1; successor = next; next = NONE }
#ifdef REQUEUE_BEFORE_SWITCH
    PUSH_GLOBAL(me, cur);
#else
    requeue = cur
#endif
  fi;
  leave_stack();
  if
  :: cur != NONE -> goto resume
  :: else -> after_work(); goto schedule
  fi;
end:
  skip
}

init {
  atomic {
    queued[0] = 1;
    queued[1] = 1;
    queued[2] = 1;
    run worker(0);
    run worker(1)
  }
}
