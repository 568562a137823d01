/* A handle and its goroutine: src/sync/one_shot.cpp; essay "Where waiters stand". Checked by run_models.sh.
 *
 * The handle's side drops the handle at once, or waits and then frees what the two share; waiting it leaves its stack
 * first and only then puts itself into the word. The goroutine's side ends: it exchanges the word, wakes whom it finds
 * there, or frees when the handle was dropped.
 *
 * Properties: what they share is freed once, and touched by nobody after that; who waits is made ready once, with its
 * context complete; the result is there when the wait is over; all end.
 *
 * MUTANTS: PUBLISH_BEFORE_SWITCH STORE_INSTEAD_OF_EXCHANGE FORGET_THE_ENDED
 */
#define N_THREADS 2
#define N_VARS 2
#define CTX 0    /* goroutine::ctx of the waiter: saved */
#define RESULT 1 /* join_state::value */
#include "store_buffer.pml"

mtype = { running, set, dropped, joiner };
mtype word = running; /* one_shot::state_: changed by locked instructions only */
bool freed = 0;
byte made_ready = 0;
bool ended[2];

inline free_it(me) {
  assert(!freed);
  freed = 1
}

/* Thread 0: the handle's side. */
active proctype handle() {
  mtype before;
  if
  :: atomic { DRAINED(0); assert(!freed); before = word; word = dropped };
     if
     :: before == set -> free_it(0)
     :: else
     fi
  :: 1 ->
     if
     :: word == set /* is_set() */
     :: else ->
#ifdef PUBLISH_BEFORE_SWITCH
        bool waits = 0;
        atomic { DRAINED(0); if :: word == running -> word = joiner; waits = 1 :: else fi };
        ST(0, CTX, 1);
#else
        ST(0, CTX, 1); /* switch_context() */
        bool waits = 0;
        /* On the successor's side. */
        atomic { DRAINED(0); assert(!freed); if :: word == running -> word = joiner; waits = 1 :: else fi };
#endif
        if
#ifdef FORGET_THE_ENDED
        :: 1 -> made_ready == 1
#else
        :: waits -> made_ready == 1
        :: !waits
#endif
        fi
     fi;
     assert(LD(0, RESULT) == 1);
     free_it(0)
  fi;
  ended[0] = 1
}

/* Thread 1: the goroutine's. */
active proctype goroutine() {
  mtype before;
  ST(1, RESULT, 1);
#ifdef STORE_INSTEAD_OF_EXCHANGE
  before = word;
  atomic { DRAINED(1); word = set };
#else
  atomic { DRAINED(1); assert(!freed); before = word; word = set };
#endif
  if
  :: before == dropped -> free_it(1)
  :: before == joiner -> assert(LD(1, CTX) == 1); made_ready++
  :: else
  fi;
  ended[1] = 1
}

active proctype at_the_end() {
end:
  ended[0] && ended[1];
  assert(freed && made_ready <= 1)
}
