// SPDX-License-Identifier: MIT
/*
 * Tasklets: a driver's bottom half. A function that an interrupt's handler schedules; it runs soon
 * after, with interrupts on, on the core that scheduled it, and never on two cores at once, so that
 * it needs no lock against itself. It runs in SOFTIRQ_TASKLET: softirq context, no sleeping.
 *
 * Scheduled several times before it begins, it runs once; scheduled while it runs, once more, on
 * the core that runs it. While it is disabled it waits, at no cost; enabled again, it runs if it
 * was scheduled. The struct is its owner's, and may be freed when tasklet_kill() has returned.
 */
#pragma once

#include <stdbool.h>

#include "arch/arch.h"
#include "lib/list.h"
#include "lib/spinlock.h"

struct tasklet {
    void (*fn)(void *arg); /* I */
    void *arg;             /* I */
    struct spinlock lock;
    struct list_node node; /* P: the core in whose list it is, interrupts off */
    cpu_t cpu;             /* L: whose list it is in, or who runs it */
    unsigned disabled;     /* L: tasklet_disable() less tasklet_enable() */
    unsigned killers;      /* L: while not 0 it is not scheduled */
    bool scheduled;        /* L: it is to run */
    bool listed;           /* L: a core has it in its list */
    bool running;          /* L: its function is being called */
};

#define TASKLET(function, argument)                                                                \
    {                                                                                              \
        .fn = (function), .arg = (argument), .lock = SPINLOCK(RANK_TASKLET, "tasklet")             \
    }

/* Make it what TASKLET() says; nobody uses it yet. Context: any. */
void tasklet_init(struct tasklet *tasklet, void (*fn)(void *arg), void *arg);

/* Open SOFTIRQ_TASKLET. Context: boot cpu only. */
void tasklet_start(void);

/*
 * Have fn(arg) called once.
 * Returns: false if it was scheduled already and had not begun, or is being killed.
 * Context: hardirq. Sleeps: no. Locks: takes tasklet.
 */
bool tasklet_schedule(struct tasklet *tasklet);

/*
 * Keep it from running; when this returns it does not run on any core. Calls nest.
 * Context: softirq, not in its own function. Sleeps: no (spins while the function runs on another
 * core). Locks: takes tasklet; the caller holds none that the function wants.
 */
void tasklet_disable(struct tasklet *tasklet);

/* The same without the wait: the function may still be running, even be the caller.
 * Context: hardirq. Sleeps: no. Locks: takes tasklet. */
void tasklet_disable_nosync(struct tasklet *tasklet);

/* Undo one of those. Context: hardirq. Sleeps: no. Locks: takes tasklet. */
void tasklet_enable(struct tasklet *tasklet);

/*
 * Take back what was scheduled and has not begun, and wait until the function has returned. While
 * this waits nobody can schedule it, its own function included; afterwards it can be used anew.
 * Returns: true if that kept it from running.
 * Context: thread, interrupts and softirqs on. Sleeps: no (spins, and runs what this core has left
 * to ksoftirqd meanwhile). Locks: takes tasklet; the caller holds none.
 */
bool tasklet_kill(struct tasklet *tasklet);
