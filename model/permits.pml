/* Come and take: the protocol of the Semaphore, with -DRWLOCK that of the RWLock. See README.md.
 *
 *   spin -a -DWAITS=4 permits.pml && cc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m1000000
 *
 * One transition is all that is done in one stay inside the guard; lock.pml checks the guard. Anything may happen
 * between two of them. Waits are 1..WAITS, of agents 1..AGENTS; each loops over ROUNDS takings and is numbered as its
 * ticket. M_... switches break the protocol on purpose. */
#ifndef WAITS
#define WAITS 3      /* waits, 2 to 5 */
#endif
#ifndef PAIRS
#define PAIRS 0      /* agents that have two waits: the first of them; all others have one */
#endif
#ifndef ROUNDS
#define ROUNDS 1     /* takings of each wait */
#endif
#ifndef PERMITS
#define PERMITS 1
#endif
#ifndef MOST
#define MOST PERMITS /* units that a wait takes at once: 1 to so many */
#endif
#ifndef UPGRADES
#define UPGRADES 0   /* readers that want to be the writer */
#endif
#ifndef DOWNGRADES
#define DOWNGRADES 0
#endif
#ifndef DEATHS
#define DEATHS 0     /* of agents */
#endif
#ifndef GIVEUPS
#define GIVEUPS 0    /* waits cut short by a time-out or an abort; looks of who was not told */
#endif
#ifndef STOPS
#define STOPS 0      /* agents that are stopped, holding something or not: for any time, or for ever */
#endif
#ifndef LAPSES
#define LAPSES 0     /* wakes that lapse although the told one's agent is not stopped */
#endif

#define AGENTS (WAITS - PAIRS)
/* spin takes no (a -> b : c) in the arguments of an inline. */
#define AGENT(w)        (((w) <= 2 * PAIRS) * (((w) + 1) / 2) + ((w) > 2 * PAIRS) * ((w) - PAIRS))
#define B(i)            (1 << (i))

/* What is checked: all of it, or one with -DONLY=... , to see a mutation break that very property. */
#define ASLEEP 1     /* nobody sleeps for ever */
#define HOLDERS 2    /* no more is out than there is; a writer is alone */
#define ORDER 3      /* nobody takes before an earlier one that is to come */
#define INDEX 4      /* what is counted is what the tickets say; who may go on was told */
#ifndef ONLY
#define ONLY 0
#endif
#define CHECKS(property) (ONLY == 0 || ONLY == property)

mtype = { NONE, WAITING, WOKEN, PASSED };
mtype = { PENDING, TAKEN, GIVEN_UP, REFUSED };

/* Roles: what a wait wants of a read-write lock; of a semaphore it wants so many units. */
#define READ 1
#define WRITE 2
#define UPGRADE 3
#define WRITING 8    /* in held[]; the bits below count shares */

/* Tickets. wants means nothing unless the ticket is queued. */
mtype st[WAITS + 1] = NONE;
byte wants[WAITS + 1];
byte held[AGENTS + 1];      /* at the home seat: all that the agent holds */
byte queue[WAITS], length;
byte rung;                  /* bit set: the ticket was told something, and its agent has not looked since */

/* Indexes: changed step by step, as the code does, and never computed anew. */
byte woken, passed, first_waiting, sum_woken, sum_to_come;
#ifdef RWLOCK
byte readers, writer, upgrade;
#else
byte to_have = PERMITS;
#endif

/* Agents, as bit sets. */
byte dead;                  /* its process is marked dead, and not yet reaped to the end */
byte gone;                  /* reaped */
byte stopped;               /* takes no step */
byte reaped;                /* its waiters' tickets are */

/* Ghosts */
byte done;                  /* bit set: the wait takes no step any more */
byte begun;                 /* bit set */
byte upgrades, downgrades, deaths, giveups, stops, lapses;
byte x;                     /* the told one whose time is up, as this step sees it */
hidden byte c_, i_, j_, k_, m_, n_, s_, w_, first_, woken_, passed_, sum_woken_, sum_to_come_, held_, writers_;
hidden byte before_, may_, queued_, comes_back_, tells_, awake_, owed_, free_for_, past_told_;
hidden mtype was_;

#define is_queued(w)    (st[w] == WAITING || st[w] == WOKEN || st[w] == PASSED)
#define is_to_come(w)   (st[w] == WAITING || st[w] == WOKEN)
#define OFF             (dead | gone | stopped)
#define RUNS(w)         (!(OFF & B(AGENT(w))))
#define IS_OVER(w)      ((dead | gone) & B(AGENT(w)))
/* Time is not modelled: a wake lapses if the told one's agent does not run, and LAPSES times if it is only slow. */
#define lapsable(w)     (st[w] == WOKEN && (!RUNS(w) || lapses < LAPSES))
#ifdef RWLOCK
#define UNITS(w)        (wants[w] == WRITE)  /* counted: writers that are to come */
#else
#define UNITS(w)        wants[w]
#endif
#define EACH(i, statements) i = 1; do :: i > WAITS -> break :: else -> statements; i++ od

/* ---- What the truth is: from the tickets alone. ---- */

/* free_for_: what w wants is free beside what all want that stand before it and are to come; past_told_: except for those
 * who were told and do not run */
inline look_up(w) {
  k_ = 0; s_ = 0; free_for_ = true; writers_ = 0;
  do
  :: k_ >= length || queue[k_] == w -> break
  :: else ->
     j_ = queue[k_];
     if
     :: is_to_come(j_) && !(past_told_ && st[j_] == WOKEN && (stopped & B(AGENT(j_)))) ->
#ifdef RWLOCK
        if :: wants[j_] != READ || wants[w] != READ -> free_for_ = false :: else fi
#else
        s_ = s_ + wants[j_]
#endif
     :: else
     fi;
     k_++
  od;
#ifdef RWLOCK
  /* An upgrade goes before the whole queue. */
  k_ = 0;
  do
  :: k_ >= length || wants[w] == UPGRADE -> break
  :: else ->
     j_ = queue[k_];
     if :: wants[j_] == UPGRADE && is_to_come(j_) -> free_for_ = false :: else fi;
     k_++
  od;
  if :: wants[w] == UPGRADE -> free_for_ = true :: else fi;
  count_held();
  if
  :: writers_ != 0 || (wants[w] == WRITE && held_ != 0) || (wants[w] == UPGRADE && held_ != 1) -> free_for_ = false
  :: else
  fi
#else
  count_held();
  free_for_ = (s_ + wants[w] + held_ <= PERMITS)
#endif
}
/* held_: permits or shares that are out; writers_ */
inline count_held() {
  held_ = 0; writers_ = 0; k_ = 1;
  do
  :: k_ > AGENTS -> break
  :: else ->
#ifdef RWLOCK
     held_ = held_ + (held[k_] & (WRITING - 1)); writers_ = writers_ + (held[k_] / WRITING);
#else
     held_ = held_ + held[k_];
#endif
     k_++
  od
}

/* After every step. */
inline whole() {
#if CHECKS(HOLDERS)
  count_held();
#ifdef RWLOCK
  assert(writers_ <= 1 && (writers_ == 0 || held_ == 0));  /* holders */
#else
  assert(held_ <= PERMITS);                               /* holders */
#endif
#endif
#if CHECKS(INDEX)
  count_held();
#ifdef RWLOCK
  assert(readers == held_ && (writer != 0) == (writers_ == 1));  /* index */
  w_ = 0;
#else
  assert(to_have == PERMITS - held_);                        /* index */
#endif
  first_ = 0; woken_ = 0; passed_ = 0; sum_woken_ = 0; sum_to_come_ = 0; i_ = 0;
  do
  :: i_ >= length -> break
  :: else ->
     j_ = queue[i_];
     assert(is_queued(j_));                               /* index */
     if :: st[j_] == WAITING && first_ == 0 -> first_ = j_ :: else fi;
     if :: st[j_] == WOKEN -> woken_++; sum_woken_ = sum_woken_ + UNITS(j_) :: else fi;
     if :: st[j_] == PASSED -> passed_++ :: else -> sum_to_come_ = sum_to_come_ + UNITS(j_) fi;
#ifdef RWLOCK
     if :: wants[j_] == UPGRADE -> w_ = j_ :: else fi;
#endif
     i_++
  od;
  assert(woken == woken_ && passed == passed_ && first_waiting == first_);  /* index */
  assert(sum_woken == sum_woken_ && sum_to_come == sum_to_come_);           /* index */
#ifdef RWLOCK
  assert(upgrade == w_);                                  /* index */
#endif
  EACH(i_, assert(!is_queued(i_) || length != 0));
  /* Who is next was told, except while the dead are withdrawn. */
#ifdef RWLOCK
  if
  :: dead != 0 || writers_ != 0
  :: else ->
     if
     :: w_ != 0 && st[w_] != PASSED -> assert(held_ > 1 || st[w_] == WOKEN)
     :: else -> assert(first_ == 0 || sum_woken_ != 0 || (wants[first_] == WRITE && (held_ != 0 || woken_ != 0)))
     fi
  fi;
#else
  assert(dead != 0 || first_ == 0 || sum_woken_ + wants[first_] > to_have);
#endif
#endif
#if CHECKS(ASLEEP)
  /* Where nothing is on its way any more, nobody waits for what is free, and nobody who runs for being told who was
   * passed over. Who does not run, and was told, is on its way: to lapse. */
  awake_ = (dead != 0); owed_ = false;
  i_ = 1;
  do
  :: i_ > WAITS || awake_ -> break
  :: else ->
     if
     :: stopped & B(AGENT(i_)) ->
#ifndef M_NO_LAPSE
        if :: st[i_] == WOKEN -> awake_ = true :: else fi
#else
        skip
#endif
     :: else -> if :: (done & B(i_)) || (is_queued(i_) && !(rung & B(i_))) :: else -> awake_ = true fi
     fi;
     i_++
  od;
  if
  :: awake_
  :: else ->
     i_ = 1; past_told_ = true;
     do
     :: i_ > WAITS -> break
     :: else ->
        if
        :: st[i_] == WAITING -> look_up(i_); if :: free_for_ || stopped == 0 -> owed_ = true :: else fi
        :: st[i_] == PASSED && !(stopped & B(AGENT(i_))) -> owed_ = true
        :: else
        fi;
        i_++
     od
  fi;
  assert(!owed_);                                         /* asleep */
#endif
  skip
}

/* ---- wait/stay: the queue and what is counted of it. ---- */

inline count(w, change) {
  if
  :: st[w] == WOKEN ->
     woken = woken + (change); sum_woken = sum_woken + (change) * UNITS(w);
     sum_to_come = sum_to_come + (change) * UNITS(w)
  :: st[w] == WAITING -> sum_to_come = sum_to_come + (change) * UNITS(w)
  :: st[w] == PASSED ->
     passed = passed + (change);
#ifdef M_PASSED_COUNTED
     sum_woken = sum_woken + (change) * UNITS(w); sum_to_come = sum_to_come + (change) * UNITS(w)
#endif
  :: else
  fi
}
inline mark(w, state) {
  m_ = w; was_ = st[m_];
  count(m_, -1);
  st[m_] = state;
  count(m_, 1);
  if
  :: st[m_] == WAITING ->
#ifdef M_FIRST_STAYS
     if :: first_waiting == 0 -> first_waiting = m_ :: else fi
#else
     n_ = 0; /* whichever comes first in the queue */
     do :: queue[n_] == m_ || queue[n_] == first_waiting -> break :: else -> n_++ od;
     first_waiting = queue[n_]
#endif
  :: st[m_] != WAITING && was_ == WAITING && first_waiting == m_ ->
     first_waiting = 0; n_ = length;
     do
     :: n_ == 0 -> break
     :: else -> n_--; if :: queue[n_] == m_ -> break :: else fi; if :: st[queue[n_]] == WAITING -> first_waiting = queue[n_] :: else fi
     od
  :: else
  fi
}
inline enqueue(w) {
  if
  :: is_queued(w) -> if :: st[w] != WAITING -> mark(w, WAITING) :: else fi
  :: else ->
     queue[length] = w; length++;
     st[w] = WAITING; count(w, 1);
     if :: first_waiting == 0 -> first_waiting = w :: else fi;
#ifdef RWLOCK
     if :: wants[w] == UPGRADE -> upgrade = w :: else fi
#endif
  fi
}
inline leave_queue(w) {
  if
  :: is_queued(w) ->
     mark(w, NONE);
     n_ = 0; do :: queue[n_] == w -> break :: else -> n_++ od;
     do :: n_ + 1 >= length -> break :: else -> queue[n_] = queue[n_ + 1]; n_++ od;
     length--; queue[length] = 0
  :: else
  fi;
#if defined(RWLOCK) && !defined(M_UPGRADE_STAYS)
  if :: upgrade == w -> upgrade = 0 :: else fi;
#endif
  wants[w] = 0; rung = rung & ~B(w)
}
/* first_waiting is the one; who is about to be reaped is left out, as if it had been told and had not come */
inline next_to_tell() {
  do
  :: first_waiting != 0 && (dead & B(AGENT(first_waiting))) -> w_ = first_waiting; mark(w_, PASSED)
  :: else -> break
  od
}
inline wake(w) { if :: st[w] != WOKEN -> mark(w, WOKEN); rung = rung | B(w) :: else fi }
inline mark_all(agent, from, to) {
  k_ = 1;
  do
  :: k_ > WAITS -> break
  :: else -> if :: AGENT(k_) == agent && st[k_] == from -> mark(k_, to) :: else fi; k_++
  od
}
inline lapse(w) {
  if :: RUNS(w) -> lapses++ :: else fi;
  mark(w, PASSED);
  mark_all(AGENT(w), WAITING, PASSED)                     /* pass_siblings */
}
inline pass_on(w) {
  lapse(w);
#ifndef M_LAPSE_TELLS_NOBODY
  tell_next()
#endif
}

/* ---- sync/semaphore, sync/rwlock ---- */

#ifndef RWLOCK
inline tell_next() {
  next_to_tell();
  do
  :: first_waiting == 0 -> break
  :: first_waiting != 0 ->
     if :: sum_woken + wants[first_waiting] > to_have -> break :: else fi;
     w_ = first_waiting; wake(w_); next_to_tell()
  od
}
inline newcomer_may_take(w) {
#ifdef M_NEWCOMER_BARGES
  may_ = (wants[w] <= to_have)
#else
  may_ = (sum_to_come + wants[w] <= to_have)
#endif
}
inline may_take(w) {
  n_ = 0; before_ = false; /* told, and nobody who Waits before it */
  do :: queue[n_] == w -> before_ = (st[w] == WOKEN); break :: queue[n_] != w && queue[n_] == first_waiting -> break :: else -> n_++ od;
  if
#ifdef M_TOLD_TAKES
  :: st[w] == WOKEN -> may_ = true
#endif
  :: before_ && sum_woken <= to_have -> may_ = true
  :: else ->
     s_ = wants[w]; n_ = 0;
#ifndef M_IGNORES_BEFORE
     do
     :: queue[n_] == w || s_ > to_have -> break
     :: else -> c_ = queue[n_]; if :: st[c_] != PASSED -> s_ = s_ + wants[c_] :: else fi; n_++
     od;
#endif
     may_ = (s_ <= to_have)
  fi
}
inline take(w) { held[AGENT(w)] = held[AGENT(w)] + wants[w]; to_have = to_have - wants[w] }
inline give_back(agent) { to_have = to_have + held[agent]; held[agent] = 0 }
#else
#ifdef M_PASSED_UPGRADE_KEEPS
#define UPGRADE_IS_TO_COME (upgrade != 0)
#else
#define UPGRADE_IS_TO_COME (upgrade != 0 && st[upgrade] != PASSED)
#endif
inline tell_next() {
  if
  :: writer != 0
  :: else ->
     next_to_tell();
     if
     :: UPGRADE_IS_TO_COME -> if :: readers == 1 && st[upgrade] == WAITING -> w_ = upgrade; wake(w_) :: else fi
     :: else ->
        do
        :: first_waiting == 0 || sum_woken != 0 -> break
        :: else ->
           if :: wants[first_waiting] != READ && (readers != 0 || woken != 0) -> break :: else fi;
           w_ = first_waiting; wake(w_); next_to_tell()
        od
     fi
  fi
}
#ifdef M_READ_BESIDE_WRITE
#define NO_WRITER(w) (writer == 0 || wants[w] == READ)
#else
#define NO_WRITER(w) (writer == 0)
#endif
#ifdef M_UPGRADE_BESIDE
#define ALONE(w) (readers >= 1)
#else
#define ALONE(w) (readers == 1)
#endif
#define COUNTS_ALLOW(w) (NO_WRITER(w) && ((wants[w] == UPGRADE && ALONE(w)) || \
                         (wants[w] != UPGRADE && !UPGRADE_IS_TO_COME && (wants[w] == READ || readers == 0))))
#ifdef M_NEWCOMER_BARGES
#define NOBODY_TO_COME(w) true
#else
#define NOBODY_TO_COME(w) ((wants[w] == READ && sum_to_come == 0) || (wants[w] != READ && woken == 0 && first_waiting == 0))
#endif
inline newcomer_may_take(w) { may_ = (COUNTS_ALLOW(w) && (wants[w] == UPGRADE || NOBODY_TO_COME(w))) }
inline may_take(w) {
  may_ = COUNTS_ALLOW(w);
  if
  :: !may_ || wants[w] == UPGRADE || (wants[w] == READ && sum_to_come == 0)
  :: else ->
#ifndef M_IGNORES_BEFORE
     n_ = 0;
     do
     :: queue[n_] == w || !may_ -> break
     :: else -> c_ = queue[n_]; may_ = ((wants[w] == READ && wants[c_] == READ) || st[c_] == PASSED); n_++
     od
#endif
  fi
}
inline take(w) {
  c_ = AGENT(w);
  if
  :: wants[w] == READ -> readers++; held[c_] = held[c_] + 1
  :: wants[w] == WRITE -> writer = c_; held[c_] = held[c_] + WRITING
  :: wants[w] == UPGRADE -> readers--; writer = c_; held[c_] = held[c_] + WRITING - 1
  fi
}
inline give_back(agent) {
  if :: held[agent] >= WRITING -> writer = 0 :: else fi;
  readers = readers - (held[agent] & (WRITING - 1)); held[agent] = 0
}
#endif

inline attempt(w) {
  rung = rung & ~B(w);
  comes_back_ = (st[w] == PASSED);
#ifndef M_NOBODY_BACK
  if :: comes_back_ -> mark_all(AGENT(w), PASSED, WAITING) :: else fi;
#endif
  queued_ = is_queued(w); tells_ = false;
  if :: queued_ :: else -> wants[w] = want fi;
  if
#if defined(RWLOCK) && !defined(M_TWO_UPGRADES)
  :: want == UPGRADE && !queued_ && upgrade != 0 -> outcome = REFUSED; wants[w] = 0
#endif
  :: else ->
     do
     :: true ->
        if :: queued_ -> may_take(w) :: else -> newcomer_may_take(w) fi;
        if :: may_ || x == 0 -> break :: else fi;
        lapse(x); x = 0;                                  /* whoever looks passes on what has lapsed */
#ifndef M_LOOK_LAPSES_ITSELF
        mark_all(AGENT(w), PASSED, WAITING);              /* its own agent runs */
#endif
        tell_next()
     od;
     if
     :: may_ ->
#if CHECKS(ORDER)
        past_told_ = false; look_up(w); assert(free_for_);                    /* order */
#endif
        take(w); leave_queue(w); outcome = TAKEN;
#ifndef M_BACK_TELLS_NOBODY
        tells_ = comes_back_;                             /* its agent's other waits may be next */
#endif
     :: !may_ && !gives_up -> enqueue(w); outcome = PENDING;
#ifndef M_YIELD_TELLS_NOBODY
        tells_ = true;                                    /* what it would have taken may be for one before it */
#endif
     :: !may_ && gives_up -> leave_queue(w); outcome = GIVEN_UP;
#ifndef M_CANCEL_TELLS_NOBODY
        tells_ = true;                                    /* it may have held up those behind it */
#endif
     fi;
     if :: tells_ -> tell_next() :: else fi
  fi;
  x = 0; gives_up = false;
  whole()
}

#ifdef M_RELEASE_TELLS_NOBODY
#define RELEASED skip
#else
#define RELEASED tell_next()
#endif
#ifdef M_REAP_TELLS_NOBODY
#define REAPED skip
#else
#define REAPED tell_next()
#endif
/* Agents with as many waits are alike, and so are their waits: the first steps come in their order, to save states. */
#define MY_TURN (me == 1 || me == 2 * PAIRS + 1 || (begun & B(me - 1)) || (me <= 2 * PAIRS && me % 2 && (begun & B(me - 2))))

inline choose_lapsed() {
  if
  :: x = 0
  :: lapsable(1) -> x = 1
  :: lapsable(2) -> x = 2
#if WAITS > 2
  :: lapsable(3) -> x = 3
#endif
#if WAITS > 3
  :: lapsable(4) -> x = 4
#endif
#if WAITS > 4
  :: lapsable(5) -> x = 5
#endif
  fi
}

proctype Wait(byte me) {
  byte n, want; bool gives_up; mtype outcome = PENDING;

round:
  if
  :: n == ROUNDS -> goto finished
  :: else
  fi;
looks:
  atomic {
    if
    :: st[me] == NONE && want == 0 && RUNS(me) && MY_TURN ->
       begun = begun | B(me);
#ifdef RWLOCK
       if :: want = READ :: want = WRITE fi
#else
       if :: want = 1
#if MOST > 1
       :: want = 2
#endif
       fi
#endif
    :: want == UPGRADE && st[me] == NONE && RUNS(me)
    :: is_queued(me) && (rung & B(me)) && st[me] != WAITING && RUNS(me)
    /* its agent's other wait brought it back meanwhile: it sleeps on */
    :: is_queued(me) && (rung & B(me)) && st[me] == WAITING && RUNS(me) ->
       d_step { rung = rung & ~B(me); whole() }; goto looks
    :: is_queued(me) && giveups < GIVEUPS && RUNS(me) ->
       giveups++; if :: gives_up = true :: skip fi        /* skip: a look of who was not told */
    :: IS_OVER(me) -> begun = begun | B(me); goto finished
    fi;
    choose_lapsed();
    d_step { attempt(me) };
    if
    :: outcome == TAKEN -> outcome = PENDING; goto holds
    :: outcome == PENDING -> goto looks
    :: outcome == GIVEN_UP || outcome == REFUSED ->
       outcome = PENDING;
#ifdef RWLOCK
       if :: want == UPGRADE -> want = READ; goto holds :: else fi;
#endif
       want = 0; n++; goto round
    fi
  }

holds:
  if
#ifdef RWLOCK
  :: d_step { RUNS(me) && want == READ -> c_ = AGENT(me);
#if CHECKS(HOLDERS)
       assert(held[c_] % WRITING != 1 || upgrade == 0 || AGENT(upgrade) != c_);  /* its last share is not what an upgrade gives */
#endif
       held[c_] = held[c_] - 1; readers--; want = 0; n++; RELEASED; whole() }; goto round
  :: d_step { RUNS(me) && want != READ -> c_ = AGENT(me);
       held[c_] = held[c_] - WRITING; writer = 0; want = 0; n++; RELEASED; whole() }; goto round
#if UPGRADES > 0
  :: d_step { RUNS(me) && want == READ && upgrades < UPGRADES -> upgrades++; want = UPGRADE }; goto looks
#endif
#if DOWNGRADES > 0
  :: d_step { RUNS(me) && want != READ && downgrades < DOWNGRADES -> downgrades++; c_ = AGENT(me);
       held[c_] = held[c_] - WRITING + 1; writer = 0; readers++; want = READ;
#ifndef M_DOWNGRADE_TELLS_NOBODY
       tell_next();
#endif
       whole() }; goto holds
#endif
#else
  :: d_step { RUNS(me) -> c_ = AGENT(me); held[c_] = held[c_] - want; to_have = to_have + want; want = 0; n++; RELEASED; whole() }; goto round
#endif
  :: IS_OVER(me)
  fi;

finished:
  if :: d_step { n = 0; want = 0; done = done | B(me); whole() } fi  /* spin refuses a label on a d_step */
}

/* An agent's fate: the kernel, whoever stops processes, all keepers and reapers. */
#define first_of(a)  (((a) <= PAIRS) * (2 * (a) - 1) + ((a) > PAIRS) * ((a) + PAIRS))
#define second_of(a) (((a) <= PAIRS) * 2 * (a) + ((a) > PAIRS) * ((a) + PAIRS))
#define IS_DONE(a)   ((done & B(first_of(a))) && (done & B(second_of(a))))
#define LAPSES_NOW(w) d_step { lapsable(w) && !(gone & B(me)) -> pass_on(w); whole() }
#define WITHDRAWS(w)  d_step { (dead & B(me)) && is_queued(w) -> leave_queue(w); whole() }
proctype Fate(byte me) {
  do
  :: d_step { IS_DONE(me) && !((dead | stopped) & B(me)) } -> break
#ifndef M_NO_LAPSE
  :: LAPSES_NOW(first_of(me))                             /* a keeper: it never waits for what its loops do */
#if PAIRS > 0
  :: LAPSES_NOW(second_of(me))
#endif
#endif
#if STOPS > 0
  :: d_step { stops < STOPS && !(OFF & B(me)) && !IS_DONE(me) -> stops++; stopped = stopped | B(me); whole() }
  :: d_step { stopped & B(me) -> stopped = stopped & ~B(me); whole() }
#endif
#if DEATHS > 0
  :: d_step { deaths < DEATHS && !((dead | gone) & B(me)) && !IS_DONE(me) ->
       deaths++; dead = dead | B(me); stopped = stopped & ~B(me);
       rung = rung & ~(B(first_of(me)) | B(second_of(me))) }
  /* First all its waits are withdrawn, which tells nobody; then its tickets are reaped, in any order. */
  :: WITHDRAWS(first_of(me))
#if PAIRS > 0
  :: WITHDRAWS(second_of(me))
#endif
#define IS_WITHDRAWN ((dead & B(me)) && !is_queued(first_of(me)) && !is_queued(second_of(me)))
  :: d_step { IS_WITHDRAWN && !(reaped & B(me)) -> reaped = reaped | B(me); REAPED; whole() }
  :: d_step { IS_WITHDRAWN -> give_back(me); dead = dead & ~B(me); gone = gone | B(me); reaped = reaped & ~B(me);
       REAPED; whole() }
#endif
  od
}

init { atomic {
  run Wait(1); run Wait(2);
#if WAITS > 2
  run Wait(3);
#endif
#if WAITS > 3
  run Wait(4);
#endif
#if WAITS > 4
  run Wait(5);
#endif
  run Fate(1);
#if AGENTS > 1
  run Fate(2);
#endif
#if AGENTS > 2
  run Fate(3);
#endif
#if AGENTS > 3
  run Fate(4);
#endif
#if AGENTS > 4
  run Fate(5);
#endif
} }
