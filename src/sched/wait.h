// SPDX-License-Identifier: MIT
/*
 * Wait queues: where threads sleep until something is so.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/list.h"
#include "lib/spinlock.h"

struct wait_queue {
    struct spinlock lock;
    struct list_node waiters; /* L: lock; first come, first woken */
};

#define WAIT_QUEUE(queue)                                                                          \
    {                                                                                              \
        .lock = SPINLOCK(RANK_WAIT_QUEUE, "wait queue"), .waiters = LIST_INIT((queue).waiters)     \
    }

void wait_queue_init(struct wait_queue *queue);

#define WAIT_FOR_EVER UINT64_MAX

/*
 * Sleep until ready(arg) is true, or timeout_ns have passed (0: only ask). Who makes it true calls
 * wake_one() or wake_all() afterwards. `ready` is called without a lock, perhaps often, and not
 * again once it was true, so it may take what it found.
 * Returns: false after the time.
 * Context: thread, no lock held. Sleeps: yes. Locks: takes wait queue, run queue, timers.
 */
bool wait_for(struct wait_queue *queue, bool (*ready)(void *arg), void *arg, uint64_t timeout_ns);

/* Wake who waits longest, or all. Context: hardirq. Sleeps: no. Locks: takes wait queue, run queue.
 */
void wake_one(struct wait_queue *queue);
void wake_all(struct wait_queue *queue);
