// SPDX-License-Identifier: MIT
/*
 * Workqueues: what an interrupt's handler leaves to a thread. A work is a function that a worker
 * thread calls once for each time that it was queued; it may sleep, take mutexes, allocate, wait.
 *
 * Queued several times before it begins, it runs once. Queued while it runs, its own function may
 * do so too, it runs once more, after that: a work never runs twice at the same time. Works of one
 * core begin in the order in which they were queued.
 *
 * A workqueue has a pool of workers for each core (WORKQUEUE_PER_CORE: works run on the core that
 * queued them), or one for all (WORKQUEUE_UNBOUND: as many at a time as there are cores). Workers
 * are made when they are first needed: by kthreadd (sched/kthreadd.h). A pool keeps one worker busy
 * for each core that it has; while one sleeps inside a work, the next takes its place, up to
 * WORKERS_MAX of them. So a work that sleeps holds up nobody, unless so many sleep at once.
 *
 * The struct of a work is its owner's; it stays until work_flush() or work_cancel_sync() has
 * returned. (So a work cannot free itself.)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "irq/timer.h"
#include "lib/list.h"
#include "lib/spinlock.h"

struct workqueue;
struct work_pool;

enum { WORKERS_MAX = 32 }; /* of one pool */

struct work {
    void (*fn)(struct work *work); /* I */
    struct spinlock lock;
    struct work_pool *pool; /* L: where it waits or runs; without meaning if it does neither */
    struct list_node node;  /* the pool's lock */
    bool listed;            /* the pool's lock: it is in the pool's list */
    bool pending;           /* L: it was queued and has not begun */
    bool running;           /* L */
    bool delayed;           /* L: of a delayed work: its timer is set */
    unsigned cancellers;    /* L: while not 0 it cannot be queued */
    unsigned colour;        /* L: of the queueing that waits (workqueue_flush) */
    uint64_t queueings;     /* L: how often it was queued */
    uint64_t runs_for;      /* L: the queueing for which it runs */
};

#define WORK(function)                                                                             \
    {                                                                                              \
        .fn = (function), .lock = SPINLOCK(RANK_WORK, "work")                                      \
    }

/* Make it what WORK() says; nobody uses it yet. Context: any. */
void work_init(struct work *work, void (*fn)(struct work *work));

/* A work that is queued by a timer. Its function gets &delayed->work. */
struct delayed_work {
    struct work work;
    struct timer timer;
    struct workqueue *wq; /* L: the work's lock */
};

void delayed_work_due(struct timer *timer); /* what the timer calls: for DELAYED_WORK() alone */

#define DELAYED_WORK(function)                                                                     \
    {                                                                                              \
        .work = WORK(function), .timer = TIMER(delayed_work_due)                                   \
    }

void delayed_work_init(struct delayed_work *delayed, void (*fn)(struct work *work));

/* ---- queues ---------------------------------------------------------------------------------- */

enum workqueue_kind { WORKQUEUE_PER_CORE, WORKQUEUE_UNBOUND };

/* For everybody: one of each kind. They are there when workqueue_start() has returned. */
extern struct workqueue *system_wq;
extern struct workqueue *system_unbound_wq;

/* Make them. Returns: 0, -ENOMEM. Context: boot cpu only. */
int workqueue_start(void);

/*
 * A queue with workers of its own, named `name` (at most 11 letters) and core.
 * Returns: the queue, or NULL without memory.
 * Context: thread. Sleeps: no. Locks: takes heap.
 */
struct workqueue *workqueue_create(const char *name, enum workqueue_kind kind);

/* Wait until all its works have run, those too that they queue meanwhile, and end its workers.
 * Nobody queues anything from elsewhere, and no delayed work of it is set. Context: thread. Sleeps:
 * yes. */
void workqueue_destroy(struct workqueue *wq);

/* Wait until all works have run that were queued before this was called (not those whose timer is
 * still set). Context: thread, not a work of this queue. Sleeps: yes. */
void workqueue_flush(struct workqueue *wq);

/* ---- works ----------------------------------------------------------------------------------- */

/*
 * Have the work run once, on this core or, in an unbound queue, on any. If it is running now, it
 * stays where it runs, whatever queue is asked for.
 * Returns: false if it was queued already and has not begun (or its timer is set), or is being
 * cancelled.
 * Context: hardirq. Sleeps: no. Locks: takes work, work pool, wait queue, run queue.
 */
bool work_queue(struct workqueue *wq, struct work *work);

/* The same on core `cpu`, which is online. In an unbound queue it runs on any. */
bool work_queue_on(cpu_t cpu, struct workqueue *wq, struct work *work);

/*
 * Queue it in `ns` from now; 0: at once.
 * Returns: false if its timer was set already, or as work_queue(). Context: as work_queue. Locks:
 * takes timers, too.
 */
bool delayed_work_queue(struct workqueue *wq, struct delayed_work *delayed, uint64_t ns);

/*
 * Wait until the work has run for all that it was queued for when this was called. A delayed work
 * whose timer is still set is not waited for.
 * Returns: false if it had nothing to wait for.
 * Context: thread, not in the work's own function, no lock or mutex held that the function wants.
 * Sleeps: yes.
 */
bool work_flush(struct work *work);

/*
 * Take back a work that was queued and has not begun (a delayed one's timer as well), and wait
 * until it does not run. While this waits nobody can queue it, its own function included;
 * afterwards it can be used anew. Returns: true if that kept it from running. Context: as
 * work_flush. Sleeps: yes.
 */
bool work_cancel_sync(struct work *work);
bool delayed_work_cancel_sync(struct delayed_work *delayed);

/* Is it queued, its timer set, or does it run? Outdated at once. Context: hardirq. */
bool work_is_busy(struct work *work);

/* How many works have run on core `cpu`, of all queues; a snapshot. Context: any. */
uint64_t work_count_of(cpu_t cpu);
