/* pirn::shared_mutex: readers with a counter per thread, and the writer that takes these away. src/sync/shared_mutex.cpp,
 * essay docs/internals/sync.md "shared_mutex". Checked by run_models.sh.
 *
 * Two readers, each a thread of its own, and a writer lock and unlock ROUNDS times. A reader counts in by its thread's
 * cell while readers are biased, else by the state; it counts out by whichever it finds then, or by the state in any
 * case, as a foreign thread does that lets it out. A reader that came by the state may turn the bias on. The writer
 * locks, or tries to and withdraws. Waiting for the writer's unlock is taken as right (a queue under a lock).
 *
 * Properties: no reader beside a writer; the sum of all counters is never negative; nobody waits for ever (a writer that
 * waits is woken by the last reader to leave).
 *
 * MUTANTS: NO_HEAVY_BARRIER ENTER_WITHOUT_LOOKING LEAVE_WITHOUT_LOOKING UNDO_WITHOUT_TELLING BIAS_OUTSIDE_THE_LOCK
 * MUTANTS: WITHDRAW_UNBIASED SETTLE_WITHOUT_THE_CELLS
 */
#define N_THREADS 3
#define READERS 2
#define WRITER 2
#define ROUNDS 2

#define N_VARS 5
#define BIASED 0 /* reader_table::biased */
#define CELL 1   /* reader_table::cells, of reader n at CELL + n; modulo 256 */
#define LOCK 3   /* the queue's spinlock: taken by a locked instruction, given back by a plain store */
#define WOKEN 4  /* the waiting writer's */
#include "store_buffer.pml"

/* shared_mutex::state_, changed by locked instructions only. */
bool writer = 0;
bool held = 0;
bool biased = 1;
byte count = 0; /* modulo 256 */

/* Guarded by LOCK. */
bool live = 1;
byte settled = 0;
bool waiting = 0;

/* Not in the program. */
byte readers_in = 0;
byte writers_in = 0;

#define SPINLOCK(me) atomic { DRAINED(me) && mem[LOCK] == 0 -> mem[LOCK] = 1 }
#define SPINUNLOCK(me) ST(me, LOCK, 0)
#define LOCKED(me) DRAINED(me)

/* access::settle(); one cell after the other. */
inline settle(me) {
  left = count;
  sum = 0;
  if
  :: live ->
    sum = LD(me, CELL);
    sum = (sum + LD(me, CELL + 1)) & 255;
#ifndef SETTLE_WITHOUT_THE_CELLS
    left = (left + sum - settled) & 255
#endif
  :: else
  fi;
  assert(left < 128);
  if
  :: left == 0 -> atomic { LOCKED(me) -> settled = (live -> sum : settled); live = 0; count = 0; held = 1 }
  :: else
  fi
}

/* A reader has left while a writer announced itself: reader_table::tell_writer(). */
inline tell_writer(me) {
  SPINLOCK(me);
  wake = 0;
  if
  :: waiting -> settle(me); if :: left == 0 -> waiting = 0; wake = 1 :: else fi
  :: else
  fi;
  SPINUNLOCK(me);
  if
  :: wake -> ST(me, WOKEN, 1); wake = 0
  :: else
  fi
}

inline count_in(me) {
  got = 0;
  if
  :: LD(me, BIASED) == 1 ->
    ST(me, CELL + me, (LD(me, CELL + me) + 1) & 255);
#ifdef ENTER_WITHOUT_LOOKING
    got = 1
#else
    if
    :: LD(me, BIASED) == 1 -> got = 1
    :: else ->
      ST(me, CELL + me, (LD(me, CELL + me) + 255) & 255);
#ifndef UNDO_WITHOUT_TELLING
      tell_writer(me)
#endif
    fi
#endif
  :: else
  fi;
  do
  :: got -> break
  :: !got ->
    atomic { LOCKED(me) && !writer -> count = (count + 1) & 255; got = 1; central = 1 }
  od;
  if
  :: central && !biased -> /* bias(), or not */
#ifndef BIAS_OUTSIDE_THE_LOCK
    SPINLOCK(me);
    if
    :: atomic { LOCKED(me) && !writer && !biased -> biased = 1 }; live = 1; ST(me, BIASED, 1)
    :: atomic { LOCKED(me) && (writer || biased) }
    fi;
    SPINUNLOCK(me)
#else
    if
    :: atomic { LOCKED(me) && !writer && !biased -> biased = 1 }; live = 1; ST(me, BIASED, 1)
    :: atomic { LOCKED(me) && (writer || biased) }
    fi
#endif
  :: 1
  fi;
  central = 0
}

inline count_out(me) {
  if
  :: LD(me, BIASED) == 1 ->
    ST(me, CELL + me, (LD(me, CELL + me) + 255) & 255);
#ifndef LEAVE_WITHOUT_LOOKING
    if
    :: LD(me, BIASED) == 0 -> tell_writer(me)
    :: else
    fi
#endif
  :: 1 -> /* not biased, or a thread without a cell */
    if
    :: atomic { LOCKED(me) && !writer -> count = (count + 255) & 255 }
    :: atomic { LOCKED(me) && writer };
      SPINLOCK(me);
      if
      :: !writer -> atomic { LOCKED(me) -> count = (count + 255) & 255 }; SPINUNLOCK(me)
      :: else ->
        assert(!held);
        atomic { LOCKED(me) -> count = (count + 255) & 255 };
        wake = 0;
        if
        :: waiting -> settle(me); if :: left == 0 -> waiting = 0; wake = 1 :: else fi
        :: else
        fi;
        SPINUNLOCK(me);
        if
        :: wake -> ST(me, WOKEN, 1); wake = 0
        :: else
        fi
      fi
    fi
  fi
}

proctype reader(byte me) {
  byte round = 0;
  byte left = 0;
  byte sum = 0;
  bool got = 0;
  bool central = 0;
  bool wake = 0;
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
    round++;
    count_in(me);
    d_step { readers_in++; assert(writers_in == 0) }
    readers_in--;
    count_out(me)
  od
}

proctype writing(byte me) {
  byte round = 0;
  byte left = 0;
  byte sum = 0;
  bool was_biased = 0;
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
    round++;
    /* The fast path looks at the state alone, and so relies on settled cells. */
    atomic {
      LOCKED(me);
      if
      :: !biased && count == 0 -> writer = 1; held = 1; goto holds
      :: else
      fi
    }
    SPINLOCK(me);
    atomic { LOCKED(me) -> was_biased = biased; biased = 0; writer = 1 };
    if
    :: was_biased ->
      ST(me, BIASED, 0);
      SPINUNLOCK(me);
#ifndef NO_HEAVY_BARRIER
      DRAINED(me); /* membarrier(2) begins with a fence of the caller's own */
      HEAVY(me);
#endif
      SPINLOCK(me)
    :: else
    fi;
    settle(me);
    if
    :: left == 0 -> SPINUNLOCK(me)
    :: left != 0 -> /* lock(): waits */
      waiting = 1;
      ST(me, WOKEN, 0);
      SPINUNLOCK(me);
      LD(me, WOKEN) == 1
    :: left != 0 -> /* try_lock(): withdraws */
#ifndef WITHDRAW_UNBIASED
      if
      :: live -> ST(me, BIASED, 1)
      :: else
      fi;
      atomic { LOCKED(me) -> writer = 0; biased = live };
#else
      atomic { LOCKED(me) -> writer = 0 };
#endif
      SPINUNLOCK(me);
      goto next
    fi;
holds:
    skip; /* no jump into a d_step */
    d_step { writers_in++; assert(readers_in == 0) }
    writers_in--;
    atomic { LOCKED(me) -> writer = 0; held = 0 };
next:
    was_biased = 0
  od
}

init {
  atomic {
    mem[BIASED] = 1;
    run reader(0);
    run reader(1);
    run writing(WRITER)
  }
}
