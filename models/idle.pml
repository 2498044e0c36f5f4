/* SPDX-License-Identifier: MIT */
/*
 * Cores that fall idle while threads become ready.
 *
 * CORES cores look for work and halt when there is none; PLACERS others (interrupt handlers, cores
 * that are busy for good) make a thread ready each, ROUNDS times. A thread may go to an idle core or
 * into the queue of the core HOG, which runs something else and never looks at its own queue, so
 * what waits there has to be taken by an idle core. Stores go through a buffer that a fence empties:
 * a core may read another's word before its own store is seen (x86's one reordering).
 *
 * Properties
 *     at rest no thread waits while a core halts: each has been run;
 *     no thread is run twice.
 *
 * Steps
 *     I1  sched_idle     src/sched/sched.c
 *     I2  wait_for_work  src/sched/sched.c
 *     I3  wait_for_work  src/sched/sched.c
 *     I4  wait_for_work  src/sched/sched.c
 *     P1  claim_idle     src/sched/sched.c
 *     P2  sched_place    src/sched/sched.c
 *     P3  sched_place    src/sched/sched.c
 *     P4  sched_place    src/sched/sched.c
 *
 * Bugs
 *     BUG_LOOK_FIRST    I3 comes before I2: the queues are looked at, then the bit is set
 *     BUG_NO_FENCE      no fence between I2 and I3: the bit may be seen late
 *     BUG_NO_HELPER     P4 is left out: a thread in a busy core's queue calls nobody
 */
#define CORES   2
#define PLACERS 2
#define ROUNDS  1

#define HOG  CORES      /* the queue of the core that is busy for good */
#define NONE (CORES + 1)

byte waiting[CORES + 1];  /* the queues; each change is one step, under its lock */
bool idle_bit[CORES];     /* as others see them */
bool bit_buffer[CORES];   /* set, but perhaps not seen yet */
bool due[CORES];          /* work was noted: by the interrupt that P3 and P4 send */
byte placed, ran;

#define SEE_BIT(core)                                                                              \
    d_step {                                                                                       \
        if                                                                                         \
        :: bit_buffer[core] -> idle_bit[core] = true; bit_buffer[core] = false                     \
        :: else                                                                                    \
        fi                                                                                         \
    }

/* Take a thread from whatever queue has one. */
inline look()
{
    found = false;
    q = 0;
    do
    :: q <= HOG ->
        if
        :: d_step { waiting[q] > 0 -> waiting[q]--; found = true }; break
        :: else -> q++
        fi
    :: else -> break
    od;
    q = 0
}

inline run_thread()
{
    d_step { ran++; assert(ran <= placed); found = false }
}

active [CORES] proctype core()
{
    byte q;
    bool found;
    byte me = _pid;
    do
    :: true ->
        due[me] = false; /* I1 */
#if defined(BUG_LOOK_FIRST)
        look(); /* I3 */
        bit_buffer[me] = true; /* I2 */
        SEE_BIT(me);
#else
        bit_buffer[me] = true; /* I2 */
#if !defined(BUG_NO_FENCE)
        SEE_BIT(me); /* the fence */
#endif
        look(); /* I3 */
#endif
        if
        :: found
        :: !found ->
end:        due[me] /* I4: halt until called */
        fi;
        d_step { idle_bit[me] = false; bit_buffer[me] = false };
        if
        :: found -> run_thread()
        :: else
        fi
    od
}

/* The buffer empties by itself, too. */
active proctype memory()
{
end:
    do
    :: bit_buffer[0] -> SEE_BIT(0)
    :: bit_buffer[1] -> SEE_BIT(1)
    od
}

inline find_idle()
{
    to = NONE;
    if
    :: idle_bit[0] -> to = 0
    :: idle_bit[1] -> to = 1
    :: !idle_bit[0] && !idle_bit[1]
    fi
}

active [PLACERS] proctype placer()
{
    byte to, i;
    for (i : 1 .. ROUNDS) {
        do
        :: find_idle();
            if
            :: to == NONE -> break
            :: else ->
                if
                :: d_step { to != NONE && idle_bit[to] -> idle_bit[to] = false }; break /* P1 */
                :: else /* somebody was faster */
                fi
            fi
        od;
        if
        :: to == NONE ->
            d_step { waiting[HOG]++; placed++ }; /* P2; the lock is a fence */
#if !defined(BUG_NO_HELPER)
            find_idle();
            if
            :: to != NONE -> due[to] = true /* P4 */
            :: else
            fi
#endif
        :: else ->
            d_step { waiting[to]++; placed++ }; /* P2 */
            due[to] = true /* P3 */
        fi;
        to = NONE
    }
}

active proctype rest()
{
    timeout -> /* nothing else can happen any more */
    assert(ran == placed && placed == PLACERS * ROUNDS)
}
