/* The lock's protocol: word, guard, tickets, wake-ups, and a death at every step. See README.md.
 *
 *   spin -a -DN=3 lock.pml && cc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m1000000
 *
 * One transition is one store or one compare-and-swap, and at each the process may die instead. Where a transition
 * changes more than that, the rest is ghost, or cannot be seen by anyone else, and a comment says why.
 * Agents are slots 1..N; each loops over ROUNDS acquisitions. M_... switches break the protocol on purpose. */
#ifndef N
#define N 3          /* agents, 2 to 4 */
#endif
#ifndef ROUNDS
#define ROUNDS 1     /* acquisitions of each agent */
#endif
#ifndef DEATHS
#define DEATHS 1     /* of agents and of the reaper together */
#endif
#ifndef BIRTHS
#define BIRTHS 0     /* slots used again by a new agent */
#endif
#ifndef GIVEUPS
#define GIVEUPS 0    /* waits cut short by a time-out, an abort or a self-look */
#endif
#ifndef FAIRS
#define FAIRS 0      /* releases that hand over although nobody starves */
#endif
#ifndef STARVES
#define STARVES 1    /* waiters that wait long enough to starve */
#endif
#ifndef STOPS
#define STOPS 0      /* waiters that take no step any more until all the others are done: busy, or stopped */
#endif
#ifndef LAPSES
#define LAPSES 0     /* wakes that are passed on although the one who was told is about to come */
#endif
#ifndef UNLINKS
#define UNLINKS 0    /* removals of the object, instead of an acquisition */
#endif

#ifndef REAPERS
#define REAPERS 1    /* 1 or 2 at a time, also for the same dead agent: any of them may be slow, stopped, or die */
#endif
#define DIED  (N + REAPERS + 1)  /* the guard's holder is dead: what EOWNERDEAD says; the reapers come before */
#define B(i)  (1 << (i))

mtype = { NONE, WAITING, WOKEN, PASSED, GONE };

/* The word. All of it changes in one compare-and-swap; every flag only under the guard. */
byte owner; bool W, K, S, A, U, O;

/* The guard, and whether its holder was inside a change (the "guard holder" word). */
byte guard; bool inside;

/* Tickets. seq and starved mean nothing unless the ticket is queued: they are zeroed with it to save states. */
mtype st[N + 1] = NONE;
byte seq[N + 1];
byte starved;        /* bit set */
byte offered;        /* whom O is for: read under the guard only, and means nothing without O */
byte linked;         /* bit set: the queue list, only an index, in seq order */
byte rung = 255;     /* bit set: clear while the ticket's agent sleeps on its state */

byte dead;           /* bit set: its process is dead, and not yet reaped to the end */
byte corpse;         /* bit set: its slot is not free yet. A slot is free a little before the reaping ends */
byte retired;        /* bit set: the last store of its reaping under the guard */
byte life[N + 1];    /* the generation of the slot's agent */
byte stopped;        /* bit set: takes no step */
bool slain;          /* a keeper died in here, or before it rang: its reaper comes if it had a seat here, else who waits
                      * looks for itself some times a second */

/* Ghosts */
byte cs;             /* who is in the critical section */
bool must;           /* an agent died in there and nobody was told yet */
bool due;            /* a dead agent was the owner and nobody was told yet: telling is right */
bool given;          /* the owner did not take the lock itself: only M_HAND_OVER does that */
byte done, begun, deaths, births, giveups, fairs, starves, unlinks, stops, halted, lapses;
hidden byte i_, h_;

#if N == 2
#define SOME(p)  (p(1) || p(2))
#define MASK(p)  (p(1) * B(1) + p(2) * B(2))
#elif N == 3
#define SOME(p)  (p(1) || p(2) || p(3))
#define MASK(p)  (p(1) * B(1) + p(2) * B(2) + p(3) * B(3))
#else
#define SOME(p)  (p(1) || p(2) || p(3) || p(4))
#define MASK(p)  (p(1) * B(1) + p(2) * B(2) + p(3) * B(3) + p(4) * B(4))
#endif
#define is_queued(i)   (st[i] == WAITING || st[i] == WOKEN || st[i] == PASSED)
#define is_waiting(i)  (st[i] == WAITING)
#define is_woken(i)    (st[i] == WOKEN)
#define to_ring(i)     (st[i] == WOKEN || st[i] == PASSED || st[i] == GONE)
#define linked_woken(i) ((linked & B(i)) && st[i] == WOKEN)
#define linked_waiting(i) ((linked & B(i)) && st[i] == WAITING)
#define linked_eligible(i) ((linked & B(i)) && (st[i] == WAITING || st[i] == WOKEN))
#define starved_eligible(i) (linked_eligible(i) && (starved & B(i)))
#define queued_owner(i) (owner == i && is_queued(i))
/* Time is not modelled: a wake lapses if the one who was told is stopped, and LAPSES times if it is only slow. */
#define lapsable(i)    (linked_woken(i) && ((stopped & B(i)) || lapses < LAPSES))
#define offer_stands   (O && st[offered] == WOKEN)

#ifdef NO_INVARIANTS  /* to see a mutation break the property itself, not only an invariant */
#define word_ok() skip
#define free_ok() skip
#else
/* I4, I5, I8 and the owner's part of I7 hold at every point. */
inline word_ok() { assert(!S || owner != 0); assert(!A || owner == 0); assert(!U || owner == 0); assert(!O || owner == 0) }
/* I1, I2, I3, I6, I7, and whom I8 is for: wherever the guard is free. */
inline free_ok() {
  if
  :: guard == 0 ->
     assert(!SOME(queued_owner));
     assert(!SOME(is_queued) || W); assert(!W || SOME(is_queued) || deaths > 0);
     assert(linked == MASK(is_queued));
     assert(!K || SOME(is_woken) || !SOME(is_waiting));
     assert(!U || !SOME(is_queued));
     assert(!O || st[offered] == WOKEN);
     assert(owner != 0 || !SOME(is_waiting) || SOME(is_woken))
  :: else
  fi;
  word_ok()
}
#endif

/* What the kernel does at a death, and ghosts. */
inline die() {
  deaths++;
  if :: guard == me -> guard = DIED :: else fi;
  if
  :: me > N -> if :: guard == DIED || bell != 0 -> slain = true :: else fi
  :: else ->
     dead = dead | B(me); corpse = corpse | B(me); rung = rung | B(me);
     if :: stopped & B(me) -> stopped = stopped & ~B(me); halted-- :: else fi;
     if :: cs == me -> cs = 0; must = true :: else fi;
     if :: owner == me && !given -> due = true :: else fi
  fi;
  n = 0; t = 0; bell = 0; told = false; fair = false; was_woken = false; why = 0; d = 0
}
/* A slot's next agent does not die before its last one is reaped to the end: "dead" has one bit for both. */
#define MAY_DIE (deaths < DEATHS && !(dead & B(me)))
#define DIES    :: d_step { MAY_DIE -> die() }; goto died
#define STEP(...)  if :: d_step { __VA_ARGS__; word_ok() } DIES fi

#define GUARD_FREE (guard == 0 || guard == DIED)

inline enter_guard() {
  if
  :: d_step { GUARD_FREE && !inside -> guard = me; inside = true }
#ifdef M_NO_REPAIR
  :: d_step { GUARD_FREE && inside -> guard = me }
#else
  :: d_step { GUARD_FREE && inside -> guard = me }; repair()
#endif
  :: d_step { GUARD_FREE && MAY_DIE -> guard = me; die() }; goto died  /* before it says that it is inside */
  fi
}
/* "inside" is read by the guard's next holder only, so both stores may be one transition with a death before, between. */
inline leave_guard() {
  if
  :: d_step { inside = false; guard = 0; free_ok() }
  :: d_step { MAY_DIE -> inside = false; die() }; goto died
  DIES
  fi
}

/* h_ = first of the list; with a bit set other than 0: first of those in it, if any */
inline first_of(only) {
  h_ = 0; i_ = 1;
  do
  :: i_ > N -> break
  :: else ->
     if
     :: (linked & B(i_)) && (h_ == 0 || ((only & B(i_)) && !(only & B(h_))) ||
        (seq[i_] < seq[h_] && ((only & B(i_)) || !(only & B(h_))))) -> h_ = i_
     :: else
     fi;
     i_++
  od;
  i_ = 0
}
inline last_seq() {
  h_ = 0; i_ = 1;
  do
  :: i_ > N -> break
  :: else -> if :: is_queued(i_) && seq[i_] > h_ -> h_ = seq[i_] :: else fi; i_++
  od;
  i_ = 0
}
inline set_state(i, s) {
  st[i] = s;
  if :: s == NONE || s == GONE -> seq[i] = 0; starved = starved & ~B(i) :: else fi
}

/* I6 again, after the list or the owner changed. The owner is read in one step and used in the next. */
inline fix() {
  if
  :: (owner == 0 && SOME(linked_waiting) && !SOME(linked_woken)) ->
     STEP(first_of(MASK(linked_waiting)); st[h_] = WOKEN; bell = bell | B(h_); h_ = 0);  /* fix.choose */
     STEP(K = true)                                                        /* fix.woken */
  :: else
  fi
}
inline restore_flags() {
  STEP(W = (linked != 0); K = (SOME(linked_woken) || (linked != 0 && !SOME(linked_waiting))); O = offer_stands)
}
/* One who was told does not come: it keeps its place, and the wake goes on. */
inline pass_on() {
  d_step { /* which one: h_ is used in the next step */
    i_ = 1; t = 0;
    do
    :: i_ > N -> break
    :: else -> if :: t == 0 && linked_woken(i_) && (stopped & B(i_)) -> t = i_ :: else fi; i_++
    od;
    i_ = 1;
    do
    :: i_ > N -> break
    :: else -> if :: t == 0 && linked_woken(i_) && lapses < LAPSES -> t = i_; lapses++ :: else fi; i_++
    od;
    i_ = 0
  };
  if
  :: t != 0 ->
     STEP(st[t] = PASSED);                                                 /* pass.marked */
     STEP(t = 0);
#ifdef M_LAPSE_KEEPS_K
     STEP(O = offer_stands);
#elif defined(M_LAPSE_KEEPS_O)
     STEP(K = (SOME(linked_woken) || !SOME(linked_waiting)));
#else
     restore_flags();                                                      /* pass.flags */
#endif
#ifndef M_LAPSE_WAKES_NOBODY
     fix()
#endif
  :: t == 0
  fi
}
/* The owner is dead, or was told of an abandonment and does not want the lock. */
inline abandon(who) {
  if
  :: owner == who ->
#ifdef M_REAP_FORGETS
     STEP(owner = 0; S = false)
#elif defined(M_REAP_KEEPS_S)
     STEP(owner = 0; A = true)
#else
     STEP(owner = 0; A = true; S = false)                                  /* reap.release */
#endif
  :: owner != who
  fi;
  restore_flags();
#ifndef M_NO_FIX
  fix()
#else
  skip
#endif
}
inline end_all_waits() {
  do
  :: linked == 0 -> break
  :: linked != 0 ->
     STEP(first_of(0); t = h_; h_ = 0; set_state(t, GONE));                /* unlink.gone */
     STEP(linked = linked & ~B(t); t = 0)
  od;
  STEP(W = false; K = false; O = false; bell = bell | MASK(to_ring))
}
/* The tickets are the truth. Nobody reads the list before the repair is over, so it is rebuilt in one step. */
inline repair() {
  STEP(linked = MASK(is_queued));                                          /* repair.list */
  t = owner;
  if
  :: t != 0 && is_queued(t) ->
     STEP(set_state(t, NONE));                                             /* repair.taken: it died before it left the queue */
     STEP(linked = linked & ~B(t))
  :: else
  fi;
  STEP(t = 0; S = false; O = false);
  restore_flags();
#if UNLINKS > 0 && !defined(M_REPAIR_KEEPS_QUEUE)
  if :: U -> end_all_waits() :: !U fi;
#endif
  fix();
  bell = bell | MASK(to_ring)
}
/* After the guard is left, in any order. Ringing a ticket whose agent does not sleep does nothing. */
inline ring() {
  do
  :: bell == 0 -> break
  :: d_step { bell & 2 -> rung = rung | 2; bell = bell & ~2 }
  :: d_step { bell & 4 -> rung = rung | 4; bell = bell & ~4 }
  :: d_step { bell & 8 -> rung = rung | 8; bell = bell & ~8 }
  :: d_step { bell & 16 -> rung = rung | 16; bell = bell & ~16 }
  :: d_step { bell != 0 && MAY_DIE -> die() }; goto died
  od
}

#define MY_TURN (begun >= me - 1)  /* agents are alike: the first steps come in slot order, to save states */
#define FREE_FOR_ALL (owner == 0 && !S && !A && !U && !O)
#define FREE_FOR_ME  (owner == 0 && (!O || offered == me || st[me] == PASSED))
#define other_woken(i) (i != me && linked_woken(i))
#ifdef M_K_STAYS
#define K_OFF skip
#elif defined(M_ENQUEUE_KEEPS_K)
#define K_OFF if :: st[me] == WOKEN -> K = false :: else fi
#else
#define K_OFF if :: !SOME(other_woken) -> K = false :: else fi
#endif

proctype Agent(byte me) {
  byte n, t, bell, why, d; bool told, fair, was_woken;

round:
  if
  :: n == ROUNDS -> goto finished
  :: else
  fi;
  if
  :: d_step { MY_TURN && FREE_FOR_ALL -> if :: begun < me -> begun = me :: else fi; owner = me; free_ok() }; goto enter  /* fast.acquire */
  :: d_step { MY_TURN && !FREE_FOR_ALL -> if :: begun < me -> begun = me :: else fi }; goto slow
  :: d_step { MY_TURN && MAY_DIE -> if :: begun < me -> begun = me :: else fi; die() }; goto died
#if UNLINKS > 0
  :: d_step { MY_TURN && unlinks < UNLINKS -> if :: begun < me -> begun = me :: else fi; unlinks++ }; goto unlink
#endif
  fi;

slow: /* why: 0 look, 1 the last look before giving up, 2 an abort */
  enter_guard();
  if
  :: U -> goto gone
#ifdef M_HAND_OVER
  :: d_step { !U && owner == me -> given = false }; goto have
  :: !U && owner != me
#else
  :: !U
#endif
  fi;
#if LAPSES > 0
  if :: lapses < LAPSES && SOME(lapsable) -> pass_on() :: true fi;  /* whoever looks passes on what has lapsed */
#endif
  if
  :: why == 0 && is_queued(me) && starves < STARVES && !(starved & B(me)) -> STEP(starves++; starved = starved | B(me)) /* look.starved */
  :: true
  fi;
  if
  :: d_step { FREE_FOR_ME ->                                   /* look.take */
       owner = me; told = A; S = false; O = false;
#ifndef M_A_STAYS
       A = false;
#endif
       if :: st[me] == WOKEN -> K = false :: else fi;
       W = ((linked & ~B(me)) != 0); word_ok() }
  :: !FREE_FOR_ME && why != 0 -> goto retract
  :: d_step { !FREE_FOR_ME && why == 0 ->                      /* look.note: held, or offered to another */
#ifndef M_NOTE_BLIND
       W = true;
#endif
       if :: owner != 0 -> K_OFF; if :: starved & B(me) -> S = true :: else fi :: else fi; word_ok() }; goto noted
  DIES
  fi;
  if :: is_queued(me) -> STEP(set_state(me, NONE)); STEP(linked = linked & ~B(me)) :: else fi;  /* dequeue */
#ifdef M_HAND_OVER
have:
#endif
  leave_guard(); ring();
  if
  :: why == 2 && !told -> why = 0; goto leave                  /* nobody wants it any more */
#ifdef M_ABORT_FORGETS
  :: why == 2 && told -> told = false; why = 0; goto leave
#else
  :: why == 2 && told -> goto untold
#endif
  :: why != 2 -> why = 0; goto enter
  fi;

noted:
#ifdef M_NOTE_BLIND
  STEP(W = true);
#endif
  if
  :: st[me] == WOKEN || st[me] == PASSED -> STEP(st[me] = WAITING)
  :: st[me] == WAITING
  :: st[me] == NONE ->
     STEP(last_seq(); seq[me] = h_ + 1; h_ = 0);               /* enqueue.seq; starved is cleared with it, unseen while unpublished */
     STEP(st[me] = WAITING);                                   /* enqueue.publish */
     STEP(linked = linked | B(me))                             /* enqueue.link */
  fi;
  leave_guard(); ring();

park: /* A wait that will be cut short is one that never sleeps: so no way out of a sleep can hide a wake-up that is missing. */
  if
#ifdef M_SLEEP_BLIND
  :: st[me] == WAITING -> STEP(rung = rung & ~B(me)); goto asleep
#else
  :: d_step { st[me] == WAITING -> rung = rung & ~B(me) }; goto asleep   /* futex: compare and sleep */
#endif
#ifdef M_FAST_WITH_TICKET
  :: d_step { st[me] == WOKEN && FREE_FOR_ALL -> owner = me }; goto enter
#endif
  :: st[me] != WAITING -> goto slow
  :: d_step { giveups < GIVEUPS -> giveups++ };
     if :: why = 1 :: why = 2 :: skip fi; goto slow
#if STOPS > 0
  :: d_step { stops < STOPS -> stops++; halted++; stopped = stopped | B(me) }; goto halt
#endif
  DIES
  fi;
asleep:
  (rung & B(me)); goto park;

#if STOPS > 0
halt: /* A delay that ends is any interleaving; this one ends when nobody else can take a step any more, or is done. */
  if
  :: d_step { done + halted == N && dead == 0 -> halted--; stopped = stopped & ~B(me) }; goto park
  :: d_step { MAY_DIE -> die() }; goto died
  fi;
#endif

retract: /* cancel, in the guard */
  if
  :: is_queued(me) ->
     STEP(set_state(me, NONE));                                /* cancel.retract */
     STEP(linked = linked & ~B(me))                            /* cancel.unlink */
  :: else
  fi;
  restore_flags();
#ifndef M_CANCEL_DROPS_WOKEN
  fix();                                                       /* the holder may have left by the fast path, trusting in my wake */
#endif
  leave_guard(); ring(); why = 0; goto next;

untold:
  enter_guard(); abandon(me); leave_guard(); ring(); told = false; why = 0; goto next;

enter:
  if
  :: d_step {
       assert(owner == me); assert(cs == 0);                   /* one owner */
       assert(!must || told);                                  /* an abandonment is not lost */
       assert(!told || due);                                   /* nor told twice */
       cs = me; must = false; if :: told -> due = false :: else fi; told = false }
  DIES
  fi;
leave:
  if
  :: d_step { !S && (!W || K) -> assert(owner == me); cs = 0; owner = 0; free_ok() }; goto next  /* fast.release */
  :: d_step { !(!S && (!W || K)) -> cs = 0 }
#if FAIRS > 0
  :: d_step { fairs < FAIRS -> fairs++; fair = true; cs = 0 }
#endif
  DIES
  fi;

  enter_guard();
  assert(owner == me);
  if
  :: linked == 0 -> STEP(owner = 0; W = false; K = false; S = false)
  :: linked != 0 && (S || fair) && SOME(linked_eligible) ->
#ifdef M_HAND_OVER
     STEP(first_of(MASK(linked_eligible)); t = h_; h_ = 0; owner = t; given = true; S = false; W = ((linked & ~B(t)) != 0));
     STEP(set_state(t, NONE)); STEP(linked = linked & ~B(t); bell = bell | B(t); t = 0)
#else
     STEP(if :: SOME(starved_eligible) -> first_of(MASK(starved_eligible)) :: else -> first_of(MASK(linked_eligible)) fi;
       st[h_] = WOKEN; bell = bell | B(h_); offered = h_; h_ = 0); /* offer.choose */
     STEP(owner = 0; O = true; K = true; S = false)            /* offer.free */
#endif
  :: linked != 0 && !((S || fair) && SOME(linked_eligible)) ->
     if
     :: K -> STEP(owner = 0; S = false)
     :: !K && !SOME(linked_waiting) -> STEP(owner = 0; S = false; K = true)
     :: !K && SOME(linked_waiting) ->
#ifdef M_NO_WAKE
        STEP(owner = 0; S = false)
#else
        STEP(first_of(MASK(linked_waiting)); st[h_] = WOKEN; bell = bell | B(h_); h_ = 0);  /* wake.choose */
        STEP(owner = 0; K = true; S = false)                   /* wake.free */
#endif
     fi
  fi;
  leave_guard(); ring(); fair = false; goto next;

#if UNLINKS > 0
unlink:
  enter_guard();
  if
  :: d_step { owner == 0 -> U = true; O = false }               /* unlink.mark */
  :: owner != 0 -> goto unlinked
  DIES
  fi;
  end_all_waits();
unlinked:
  leave_guard(); ring(); goto next;
#endif

gone: /* look.gone */
  if :: st[me] != NONE -> STEP(set_state(me, NONE)); STEP(linked = linked & ~B(me)) :: else fi;
  leave_guard(); ring(); why = 0;

next:
#ifdef M_FAST_WITH_TICKET
  if :: st[me] != NONE -> why = 2; goto slow :: else fi;
#endif
  n++; goto round;

died:
  if /* the slot is free: a new agent, whose ticket is a new one */
  :: d_step { !(corpse & B(me)) && births < BIRTHS -> births++; life[me]++;
#ifdef M_REUSE_EARLY
       set_state(me, NONE)
#else
       assert(st[me] == NONE && !(linked & B(me)) && owner != me)
#endif
     }; goto round
  :: !(corpse & B(me)) && births >= BIRTHS
  fi;
finished:
  if :: d_step { n = 0; done++ } fi  /* spin refuses a label on a d_step */
}

/* Reaping needs no exclusion: each step is verified where it is made, and those that are not under the object's guard are
 * under the registry's, so that they are one transition here. When a reaper dies, another one begins again. */
#ifdef M_REAP_UNVERIFIED
#define IS_DUE true
#else
#define IS_DUE ((dead & B(d)) && life[d] == n && !(retired & B(d)))
#endif
inline take_up(i) { d = i; n = life[i] }
proctype Reaper(byte me) {
  byte n, t, bell, why, d; bool told, fair, was_woken;
died:
  do
  :: d_step { done == N && dead == 0 && !slain && guard == 0 ->
       assert(owner == 0 && cs == 0 && !SOME(is_queued)); free_ok();
       assert(!must || A || U); assert(!A || due) }; break
#if (STOPS > 0 || LAPSES > 0) && !defined(M_NO_LAPSE)
  :: SOME(lapsable) -> enter_guard(); pass_on(); leave_guard(); ring()  /* a keeper: it never waits for what its loops do */
#endif
  :: slain -> enter_guard(); leave_guard(); bell = MASK(to_ring); ring(); slain = false
  :: dead != 0 ->
     if
     :: d_step { dead & B(1) -> take_up(1) }
     :: d_step { dead & B(2) -> take_up(2) }
     :: d_step { dead & B(3) -> take_up(3) }
     :: d_step { dead & B(4) -> take_up(4) }
     :: dead == 0 -> goto died  /* another reaper was faster */
     fi;
#ifdef M_REUSE_EARLY
     STEP(corpse = corpse & ~B(d));
#endif
     enter_guard();
     if
     :: IS_DUE ->
        if
        :: is_queued(d) ->
           STEP(set_state(d, NONE));                           /* reap.ticket */
           STEP(linked = linked & ~B(d))
        :: else -> STEP(set_state(d, NONE))
        fi;
        abandon(d);
        STEP(retired = retired | B(d))                         /* reap.retired */
     :: else                                                   /* another reaper came so far */
     fi;
     leave_guard(); ring();
     STEP(if :: (dead & B(d)) && life[d] == n && (retired & B(d)) -> corpse = corpse & ~B(d) :: else fi);  /* reap.free-slot */
#ifndef M_NO_RERING
#ifdef M_RERING_LISTED
     bell = MASK(to_ring) & linked;
#elif defined(M_RERING_NOT_GONE)
     bell = MASK(is_woken);
#else
     bell = MASK(to_ring);                                          /* the dead one may have died before wake.ring */
#endif
     ring();
#endif
     /* reap.free-process: only then may the slot's next agent die in this model, and n may be stale */
     if
     :: d_step { if :: (dead & B(d)) && !(corpse & B(d)) && (retired & B(d)) && (life[d] == n || life[d] == n + 1) ->
                       dead = dead & ~B(d); retired = retired & ~B(d) :: else fi; d = 0; n = 0 }
     DIES
     fi
  od
}

init { atomic {
  run Agent(1); run Agent(2);
#if N > 2
  run Agent(3);
#endif
#if N > 3
  run Agent(4);
#endif
  run Reaper(N + 1);
#if REAPERS > 1
  run Reaper(N + 2);
#endif
} }
