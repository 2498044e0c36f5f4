/* SPDX-License-Identifier: MIT */
/*
 * Whose a thread is, while it moves between run queues.
 *
 * One thread, two cores with a run queue each. Who started it puts it into one of them; it runs, gives
 * way, blocks; WAKERS others make it ready, somebody binds it to one core, and a core with nothing to do
 * takes it from the other's queue. What a thread is and does changes under the lock of its core's queue;
 * but which core that is can only be read without one. Two queues are never locked at once: a thread on
 * its way between them is in none, and whoever has it there changes its core.
 *
 * What one core does under a lock is one step, but for L1 to L4.
 *
 * Properties
 *     who puts the thread into a queue has it alone: it is ready, in no queue and on no core;
 *     who takes it out of a queue finds it there;
 *     it goes to no core but those that it may run on;
 *     no wake-up is lost: at rest, the thread is blocked and has seen everything that it was woken for.
 *
 * Steps
 *     L1  lock_queue_of          src/sched/sched.c
 *     L2  lock_queue_of          src/sched/sched.c
 *     L3  lock_queue_of          src/sched/sched.c
 *     L4  thread_wake            src/sched/sched.c
 *     L4  lock_settled_queue_of  src/sched/sched.c
 *     L5  leave_for              src/sched/sched.c
 *     B1  join_queue             src/sched/wait.c
 *     B2  sleep_until            src/sched/wait.c
 *     B3  block                  src/sched/sched.c
 *
 * Unreached
 *     starter  1 statement: the thread is core 0's before, so that it need not become that
 *
 * Bugs (the delay test of the kernel sees those named BUG_)
 *     BUG_OTHER_LOCK      L5: the core changes under the lock of the queue that the thread goes to
 *     BUG_NO_L3           who has locked the queue does not look again whose the thread is
 *     BUG_START           who starts the thread writes its core without a lock, though others know it
 *     BUG_UNSETTLED       L4: the affinity changes while somebody chooses a core by it
 *     BUG_NOT_OFF_CORE    L4: a blocked thread is put into a queue though it is still on its core
 *     BUG_LOOK_FIRST      B2 comes before B1: the thread looks whether it has to wait, then says that
 *                         it will block
 *     UNLOCK_EARLY        the queue is unlocked before the thread that goes has left its stack (that is
 *                         the switch itself)
 */
#define CORES 2
#define WAKERS 2

byte cpu;                /* whose queue the thread belongs to */
bool locked[CORES];      /* where that is for more than a step */
bool ready = true;       /* else blocked */
bool queued;
bool current[CORES];
bool may[CORES] = { true, true }; /* the affinity */
byte given;              /* what the thread is woken for */

bool listed[CORES];      /* in this queue's list; `queued` is what the thread says of itself */
bool on_core[CORES];     /* its registers, or its stack, are in use there */
byte taken;
bool started, bound;

/* Put the thread into queue `to`; the caller has it alone. */
inline add(to)
{
    assert(ready && !queued && !on_core[0] && !on_core[1] && may[to]);
    queued = true;
    listed[to] = true
}

inline take_out(from)
{
    assert(listed[from]);
    queued = false;
    listed[from] = false
}

inline put_on(to)
{
#if defined(BUG_OTHER_LOCK)
    d_step { !locked[to] -> cpu = to; add(to) } /* L5 */
#else
    if
    :: cpu == to
    :: cpu != to -> d_step { !locked[1 - to] -> cpu = to } /* L5 */
    fi;
    d_step { !locked[to] -> add(to) }
#endif
}

/* Choose a core by the affinity, without a lock. */
inline place()
{
    if
    :: may[0] -> put_on(0)
    :: may[1] -> put_on(1)
    fi
}

inline lock_queue_of()
{
    do
    :: true ->
        q = cpu; /* L1 */
        d_step { !locked[q] -> locked[q] = true }; /* L2 */
#if defined(BUG_NO_L3)
        break
#else
        if
        :: cpu == q -> break /* L3 */
        :: else -> locked[q] = false
        fi
#endif
    od
}

/* The thread runs here, until it gives the core away. */
inline run_thread()
{
    do
    /* it gives way; if it may not stay, it goes elsewhere */
    :: d_step { !locked[me] && may[me] -> current[me] = false; on_core[me] = false; add(me) }; break
    :: d_step { !locked[me] && !may[me] -> current[me] = false; on_core[me] = false };
        place();
        break
    :: true ->
#if defined(BUG_LOOK_FIRST)
        seen = given; /* B2 */
#endif
        d_step { !locked[me] -> ready = false }; /* B1 */
#if !defined(BUG_LOOK_FIRST)
        seen = given; /* B2 */
#endif
        if
        :: seen != taken -> taken = seen; d_step { !locked[me] -> ready = true }
        :: seen == taken ->
            if
#if defined(UNLOCK_EARLY)
            :: d_step { !locked[me] && !ready -> current[me] = false }; on_core[me] = false; break
#else
            /* B3 */
            :: d_step { !locked[me] && !ready -> current[me] = false; on_core[me] = false }; break
#endif
            :: d_step { !locked[me] && ready } /* woken meanwhile */
            fi
        fi
    od;
    seen = 0
}

active [CORES] proctype core()
{
    byte me = _pid, seen;
end:
    do
    :: d_step {
            !locked[me] && listed[me] -> take_out(me);
            assert(!on_core[0] && !on_core[1]);
            current[me] = true; on_core[me] = true
        };
        run_thread()
    :: d_step { !locked[1 - me] && listed[1 - me] && may[me] -> take_out(1 - me) };
        put_on(me)
    od
}

active proctype starter()
{
#if defined(BUG_START)
    cpu = 1;
#endif
    place();
    started = true
}

active [WAKERS] proctype waker()
{
    byte q;
    bool off_core;
    given++;
    lock_queue_of();
    atomic { /* L4 */
#if defined(BUG_NOT_OFF_CORE)
        off_core = !ready;
#else
        off_core = !ready && !current[q];
#endif
        ready = true;
        locked[q] = false
    };
    if
    :: off_core -> place()
    :: else
    fi
}

/* Binds the thread to one core. */
active proctype binder()
{
    byte q, only;
    bool waits;
    if
    :: only = 0
    :: only = 1
    fi;
    do
    :: true ->
        lock_queue_of();
#if defined(BUG_UNSETTLED)
        break
#else
        if
        :: !ready || queued || current[q] -> break /* L4 */
        :: else -> locked[q] = false
        fi
#endif
    od;
    atomic {
        may[1 - only] = false;
        waits = queued;
        if
        :: waits -> take_out(q)
        :: else
        fi;
        locked[q] = false
    };
    if
    :: waits -> place()
    :: else
    fi;
    bound = true
}

active proctype rest()
{
    timeout -> /* nothing else can happen any more */
    assert(started && bound && !ready && given == WAKERS && taken == given)
}
