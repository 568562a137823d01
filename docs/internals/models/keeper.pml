/* Who sleeps in the poller: src/sched/netpoll.cpp, src/sched/idle.cpp (go_idle, sleep_as_keeper), os/futex.h
 * (begin_elsewhere). Checked by run_models.sh.
 *
 * Threads: a thread without a P that queues to the global queue, twice (FOREIGN); three workers over two Ps: one awake, two
 * asleep beside the other P, which is idle, of whom nobody keeps watch yet, as when the poller has just been made. What
 * has become ready in the kernel (`events`) is found by who looks or waits there. The goroutine that a worker runs may be
 * bound to it, once: then its thread gives the P on and sleeps on its own.
 *
 * Properties: when everybody rests, no work waits beside an idle P, nothing is ready that nobody has found while a P is
 * idle, and nobody rests who was given a P.
 *
 * Left out: rings, and with them the barriers (idle.pml); timers.
 *
 * MUTANTS: NO_KEEPER NO_INTERRUPTION SIGNAL_LOOKED_AT_BEFORE KEEPER_NOT_FREED FREED_BY_OTHERS HANDED_ON_UNWATCHED
 */
#define WORKERS 4 /* numbers 1 to 3; 0 is FOREIGN */

byte idle_p_count = 1;
byte spinning = 0;

bool mu = 0;
byte global = 0;
bool listed[WORKERS];
byte keeper = 0; /* 0: nobody */

/* thread_event::word_, taken apart: 1 is signalled, 3 is elsewhere. */
bool signalled[WORKERS];
bool handed_spinning[WORKERS];
bool elsewhere[WORKERS];
bool interruption = 0; /* the eventfd */

/* The kernel. */
byte events = 0;
byte arrivals = 0;

/* Not in the program. */
byte waiting = 0;
bool bound = 0;

#define LOCK_MU atomic { !mu -> mu = 1 }
#define UNLOCK_MU mu = 0

#ifdef FREED_BY_OTHERS
/* Two can then be in the poller, and the one takes the other's interruption. */
#define UNLIST(w) listed[w] = 0; if :: keeper == w -> keeper = 0 :: else fi
#else
#define UNLIST(w) listed[w] = 0
#endif

/* wake() */
inline signal(w) {
  atomic {
    signalled[w] = 1;
    must = elsewhere[w]
  }
#ifndef NO_INTERRUPTION
  if
  :: must -> interruption = 1
  :: else
  fi;
#endif
  must = 0
}

/* idle_worker_locked() and what follows */
inline start_worker(spinner) {
  LOCK_MU;
  d_step {
    if
    :: keeper != 0 && listed[keeper] && idle_p_count == 0 -> who = keeper
    :: else ->
      if
      :: listed[1] && keeper != 1 -> who = 1
      :: else ->
        if
        :: listed[2] && keeper != 2 -> who = 2
        :: else ->
          if
          :: listed[3] && keeper != 3 -> who = 3
          :: else -> who = keeper
          fi
        fi
      fi
    fi;
    assert(who != 0 && listed[who]);
    UNLIST(who);
    handed_spinning[who] = spinner
  }
  UNLOCK_MU;
  signal(who);
  who = 0
}

inline wake_if_needed() {
  if
  :: atomic { idle_p_count > 0 && spinning == 0 -> spinning = 1 }
    LOCK_MU;
    if
    :: d_step { idle_p_count > 0 -> idle_p_count-- }
      UNLOCK_MU;
      start_worker(1)
    :: else -> spinning--; UNLOCK_MU
    fi
  :: else
  fi
}

active proctype device() {
end:
  do
  :: atomic { arrivals < 2 -> arrivals++; events++ }
  :: break
  od
}

proctype foreign() {
  byte who = 0;
  bool must = 0;
  byte times = 0;
  do
  :: times < 2 ->
    times++;
    LOCK_MU;
    d_step { waiting++; global++ }
    UNLOCK_MU;
    wake_if_needed()
  :: else -> break
  od
}

proctype worker(byte me; bool has_p) {
  byte who = 0;
  bool must = 0;
  bool spins = 0;
  bool got = 0;
  bool told = 0;

  if
  :: has_p
  :: else -> goto sleep
  fi;

find_work:
  LOCK_MU;
  if
  :: d_step { global > 0 -> global--; waiting-- }
    UNLOCK_MU;
    goto execute
  :: else -> UNLOCK_MU
  fi;
  if
  :: atomic { keeper == 0 && events > 0 -> events-- }
    goto execute
  :: else
  fi;

  /* go_idle() */
  LOCK_MU;
  if
  :: global > 0 -> UNLOCK_MU; goto find_work
  :: else
  fi;
  d_step {
    idle_p_count++;
    listed[me] = 1;
    if
    :: spins -> spins = 0; spinning--
    :: else
    fi
  }
  UNLOCK_MU;

look_again:
  LOCK_MU;
  if
  :: d_step { listed[me] && global > 0 && idle_p_count > 0 -> idle_p_count--; UNLIST(me); spins = 1; spinning++ }
    UNLOCK_MU;
    goto find_work
  :: else
  fi;
#ifndef NO_KEEPER
  if
  :: d_step { listed[me] && idle_p_count > 0 && keeper == 0 -> keeper = me }
    UNLOCK_MU;
    goto watch
  :: else
  fi;
#endif
  UNLOCK_MU;

sleep:
  skip;
end:
  atomic { signalled[me] -> signalled[me] = 0; spins = handed_spinning[me] }
  goto find_work;

watch: /* keep_watch() */
  skip;
#ifdef SIGNAL_LOOKED_AT_BEFORE
  told = signalled[me];
  elsewhere[me] = !told;
  if
  :: told -> signalled[me] = 0
  :: else
  fi;
#else
  d_step {
    told = signalled[me];
    signalled[me] = 0;
    elsewhere[me] = !told
  }
#endif
  if
  :: told
  :: else ->
end_in_poller:
    atomic {
      if
      :: events > 0 -> events--; got = 1
      :: interruption -> interruption = 0
      fi
    }
    d_step { told = signalled[me]; signalled[me] = 0; elsewhere[me] = 0 }
  fi;
  LOCK_MU;
#ifndef KEEPER_NOT_FREED
  if
  :: keeper == me -> keeper = 0
  :: else
  fi;
#endif
  if
  :: !listed[me] ->
    UNLOCK_MU;
    if
    :: !told -> signalled[me]; signalled[me] = 0
    :: else
    fi;
    told = 0;
    spins = handed_spinning[me];
    if
    :: got -> got = 0; goto execute
    :: else -> goto find_work
    fi
  :: else -> keeper = 0; told = 0
  fi;
  if
  :: d_step { got && idle_p_count > 0 -> idle_p_count--; UNLIST(me); got = 0 }
    UNLOCK_MU;
    goto execute
  :: else -> UNLOCK_MU
  fi;
  if
  :: got ->
    got = 0;
    LOCK_MU;
    d_step { global++; waiting++ }
    UNLOCK_MU;
    wake_if_needed()
  :: else
  fi;
  goto look_again;

execute:
  if
  :: d_step { spins -> spins = 0; spinning-- }
    if
    :: global > 0 -> wake_if_needed()
    :: else
    fi
  :: else
  fi;
  if
  :: goto find_work
  :: atomic { !bound -> bound = 1 }
    /* hand_on() */
#ifdef HANDED_ON_UNWATCHED
    if
    :: global > 0 ->
#else
    if
    :: global > 0 || keeper == 0 ->
#endif
      start_worker(0);
      goto gone
    :: else
    fi;
    LOCK_MU;
    idle_p_count++;
    UNLOCK_MU;
    if
#ifdef HANDED_ON_UNWATCHED
    :: global > 0 -> wake_if_needed()
#else
    :: global > 0 || keeper == 0 -> wake_if_needed()
#endif
    :: else
    fi
  fi;
gone:
  skip
}

init {
  atomic {
    listed[2] = 1;
    listed[3] = 1;
    run foreign();
    run worker(1, 1);
    run worker(2, 0);
    run worker(3, 0)
  }
}

active proctype judge() {
end:
  timeout;
  assert(idle_p_count == 0 || (waiting == 0 && events == 0));
  assert(!signalled[1] && !signalled[2] && !signalled[3])
}
