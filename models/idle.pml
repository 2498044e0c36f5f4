/* SPDX-License-Identifier: MIT */
/*
 * Cores that fall idle while threads become ready.
 *
 * CORES cores look for work and halt when there is none; PLACERS others (interrupt handlers, cores
 * that are busy for good) make a thread ready each. A thread goes to an idle core, or into the queue
 * of the core HOG, which has a thread of its own and takes turns with what waits there, TURNS times:
 * one goes back into the queue, one comes out. So what waits there has to be taken by an idle core.
 * Without its fence a core may read the queues before its bit is seen (x86's one reordering).
 *
 * Properties
 *     at rest no thread waits while a core halts; a thread that has come onto a core may be short,
 *     or keep the core for good;
 *     no thread is run twice.
 *
 * Steps
 *     I1  sched_idle      src/sched/sched.c
 *     I2  wait_for_work   src/sched/sched.c
 *     I3  wait_for_work   src/sched/sched.c
 *     I4  wait_for_work   src/sched/sched.c
 *     I5  wait_for_work   src/sched/sched.c
 *     P1  claim_idle      src/sched/sched.c
 *     P2  put_on          src/sched/sched.c
 *     P3  put_on          src/sched/sched.c
 *     P4  put_on          src/sched/sched.c
 *     Q1  switch_to_next  src/sched/sched.c
 *     Q2  switch_to_next  src/sched/sched.c
 *
 * Variants
 *     TAKES_TURNS         with one placer, and with HOG taking turns
 *
 * Unreached
 *     placer  1 statement: nobody claims HOG, which is never idle
 *     core    7 statements with TAKES_TURNS: one thread needs no second helper
 *     placer  13 statements with TAKES_TURNS: likewise
 *
 * Bugs (the delay test of the kernel sees those named BUG_; the others need three cores at once)
 *     BUG_LOOK_FIRST      I3 comes before I2: the queues are looked at, then the bit is set
 *     BUG_NO_FENCE        no fence between I2 and I3: the bit may be seen late
 *     BUG_NO_HELPER       P4 is left out: a thread in a busy core's queue calls nobody
 *     LOST_CLAIM          P4 is left out where P1 claimed a core, though that core may have taken
 *                         another thread meanwhile
 *     LOST_CALL           I5 is left out: a core that was called for another's thread, and got one
 *                         of its own before it looked, does not pass the call on
 *     LOST_TURN           Q2 comes before Q1: the queue looks empty for a moment
 */
#define CORES 2
#define TURNS 1
#if defined(TAKES_TURNS) || defined(LOST_TURN)
#define PLACERS 1
#else
#define PLACERS 2
#endif

#define HOG  CORES      /* the queue of the core that is busy for good */
#define NONE (CORES + 1)

byte waiting[CORES + 1];  /* the queues; each change is one step, under its lock */
bool hog_locked;          /* the lock of the queue HOG, where it is held for more than a step */
bool busy[CORES + 1];     /* runs a thread */
bool halts[CORES];
bool idle_bit[CORES];     /* as others see them */
#if defined(BUG_NO_FENCE)
bool bit_buffer[CORES];   /* set, but not seen yet */
#endif
bool due[CORES];          /* work was noted: by the interrupt that P3 and P4 send */
byte placed, ran;

#define IS_FREE(queue) ((queue) != HOG || !hog_locked)

/* The first core whose bit is set, in the order of their indices. */
inline claim()
{
    if
    :: d_step { idle_bit[0] -> idle_bit[0] = false; to = 0 } /* P1 */
    :: !idle_bit[0] ->
        if
        :: d_step { idle_bit[1] -> idle_bit[1] = false; to = 1 } /* P1 */
        :: !idle_bit[1] -> to = NONE
        fi
    fi
}

/* Put a thread into a queue; `claimed` says whether its core was claimed for it. */
inline put_on(queue)
{
    d_step { /* P2; the lock is a fence */
        IS_FREE(queue) -> waiting[queue]++;
        alone = claimed && queue != HOG && waiting[queue] == 1 && !busy[queue]
    };
    if
    :: claimed -> due[queue] = true /* P3 */
    :: else
    fi;
#if defined(LOST_CLAIM)
    alone = claimed;
#endif
#if !defined(BUG_NO_HELPER)
    if
    :: alone
    :: else ->
        claim();
        if
        :: to != NONE -> due[to] = true /* P4 */
        :: else
        fi
    fi;
#endif
    d_step { to = NONE; claimed = false; alone = false }
}

/* Take a thread from another queue, by a look without the lock and a second one with it. */
inline steal()
{
    stolen = false;
    q = 0;
    do
    :: q == me -> q++
    :: q <= HOG && q != me ->
        if
        :: waiting[q] > 0 ->
            if
            :: d_step { IS_FREE(q) && waiting[q] > 0 -> waiting[q]--; stolen = true }
            :: d_step { IS_FREE(q) && waiting[q] == 0 -> q++ }
            fi
        :: else -> q++
        fi;
        if
        :: stolen -> break
        :: else
        fi
    :: q > HOG -> break
    od;
    q = 0;
    if
    :: stolen ->
        d_step { claimed = idle_bit[me]; idle_bit[me] = false };
        put_on(me)
    :: else
    fi
}

active [CORES] proctype core()
{
    byte q, to = NONE;
    bool stolen, claimed, alone, found;
    byte me = _pid;
    do
    :: true ->
        due[me] = false; /* I1 */
#if defined(BUG_NO_FENCE)
        bit_buffer[me] = true; /* I2 */
#elif !defined(BUG_LOOK_FIRST)
        idle_bit[me] = true; /* I2 */
#endif
        found = waiting[me] > 0; /* I3 */
        if
        :: found
        :: else -> steal(); found = stolen
        fi;
#if defined(BUG_LOOK_FIRST)
        idle_bit[me] = true; /* I2 */
#endif
        if
        :: found
        :: !found ->
            halts[me] = true;
end:        d_step { due[me] -> halts[me] = false } /* I4: halt until called */
        fi;
        d_step {
            idle_bit[me] = false;
#if defined(BUG_NO_FENCE)
            bit_buffer[me] = false;
#endif
            stolen = false; found = false
        };
#if !defined(LOST_CALL)
        if
        :: waiting[me] > 0 && (waiting[HOG] > 0 || waiting[1 - me] > 0) -> /* I5 */
            claim();
            if
            :: to != NONE -> due[to] = true; to = NONE
            :: else
            fi
        :: else
        fi;
#endif
        do
        :: d_step { waiting[me] > 0 -> waiting[me]--; busy[me] = true; ran++; assert(ran <= placed) };
            if
            :: true -> busy[me] = false
            :: true ->
end_long:       false /* it keeps the core; what comes to its queue now has called a helper */
            fi
        :: waiting[me] == 0 -> break
        od
    od
}

#if defined(BUG_NO_FENCE)
active proctype memory()
{
end:
    do
    :: d_step { bit_buffer[0] -> idle_bit[0] = true; bit_buffer[0] = false }
    :: d_step { bit_buffer[1] -> idle_bit[1] = true; bit_buffer[1] = false }
    od
}
#endif

active [PLACERS] proctype placer()
{
    byte to = NONE;
    bool claimed, alone;
    placed++;
    claim();
    if
    :: to == NONE -> put_on(HOG)
    :: to == 0 -> claimed = true; put_on(0)
    :: to == 1 -> claimed = true; put_on(1)
    fi
}

#if defined(TAKES_TURNS) || defined(LOST_TURN)
active proctype hog()
{
    byte turns;
end:
    do
    :: d_step { turns < TURNS && !hog_locked && waiting[HOG] > 0 -> hog_locked = true; turns++ };
#if defined(LOST_TURN)
        waiting[HOG]--; /* Q2 */
        waiting[HOG]++; /* Q1 */
#else
        waiting[HOG]++; /* Q1 */
        waiting[HOG]--; /* Q2 */
#endif
        hog_locked = false
    od
}
#endif

active proctype rest()
{
    timeout -> /* nothing else can happen any more */
    assert(placed == PLACERS && (ran == placed || !(halts[0] || halts[1])))
}
