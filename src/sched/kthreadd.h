// SPDX-License-Identifier: MIT
/*
 * kthreadd: the thread that makes kernel threads for those who find out in a handler, or under a
 * lock, that they need one. So ksoftirqd/N and the workers of a core cost nothing before their
 * first work.
 */
#pragma once

#include <stdbool.h>

#include "arch/arch.h"
#include "lib/list.h"
#include "sched/thread.h"

/* A thread that is wanted. Its owner's; it stays until fn runs. */
struct kthread_wish {
    struct list_node node;      /* L: kthreadd's lock */
    void (*fn)(void *arg);      /* I */
    void *arg;                  /* I */
    cpu_t cpu;                  /* I: to which it is bound; CPU_NONE: any core */
    char name[THREAD_NAME_MAX]; /* I */
    bool told;                  /* P: kthreadd: that there is no memory for it */
};

/*
 * Have the thread made; fn(arg) runs in it, soon. Without memory it is tried again, in turn with
 * the other wishes, for as long as it takes. The same wish is not asked for again before its fn
 * runs. Context: hardirq. Sleeps: no. Locks: takes kthreadd, wait queue, run queue.
 */
void kthreadd_ask(struct kthread_wish *wish);

/* Start it; what was asked for before is made now. Returns: 0, -ENOMEM. Context: boot cpu only. */
int kthreadd_start(void);
