// SPDX-License-Identifier: MIT
/*
 * A list of wishes under a lock, and a thread that sleeps until there is one. It alone waits for
 * memory; who asked goes on with what there is.
 */
#include "sched/kthreadd.h"

#include "lib/errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "sched/wait.h"

enum { NS_PER_MS = 1000000 };
#define TRY_AGAIN_NS (UINT64_C(100) * NS_PER_MS)

static struct spinlock lock = SPINLOCK(RANK_KTHREADD, "kthreadd");
static struct list_node wishes = LIST_INIT(wishes); /* L: lock; the first was asked for first */
static struct wait_queue asked = WAIT_QUEUE(asked);

static void put_last(struct kthread_wish *wish)
{
    uint64_t flags = spin_lock_irqsave(&lock);
    list_push_back(&wishes, &wish->node);
    spin_unlock_irqrestore(&lock, flags);
}

void kthreadd_ask(struct kthread_wish *wish)
{
    put_last(wish);
    wake_one(&asked);
}

/* wait_for()'s question: takes the first wish, into *arg. */
static bool take_wish(void *arg)
{
    struct kthread_wish **wish = arg;
    uint64_t flags = spin_lock_irqsave(&lock);
    *wish = NULL;
    if (!list_is_empty(&wishes)) {
        *wish = list_entry(wishes.next, struct kthread_wish, node);
        list_remove(&(*wish)->node);
    }
    spin_unlock_irqrestore(&lock, flags);
    return *wish != NULL;
}

/* The wish is its owner's again as soon as the thread may run. */
static bool make(const struct kthread_wish *wish)
{
    struct thread *thread = wish->cpu == CPU_NONE
                                ? thread_create(wish->name, wish->fn, wish->arg, NULL)
                                : thread_create_on(wish->cpu, wish->name, wish->fn, wish->arg);
    if (thread == NULL)
        return false;
    thread_put(thread);
    return true;
}

/* Memory may come back, and others may need less of it. */
static void try_later(struct kthread_wish *wish)
{
    if (!wish->told)
        log_warn("kthreadd: no memory for the thread %s: it is tried again", wish->name);
    wish->told = true;
    put_last(wish);
    thread_sleep(TRY_AGAIN_NS);
}

static void kthreadd(void *arg)
{
    (void)arg;
    for (;;) {
        struct kthread_wish *wish;
        (void)wait_for(&asked, take_wish, &wish, WAIT_FOR_EVER);
        if (!make(wish))
            try_later(wish);
    }
}

int kthreadd_start(void)
{
    struct thread *thread = thread_create("kthreadd", kthreadd, NULL, NULL);
    if (thread == NULL)
        return -ENOMEM;
    thread_put(thread);
    return 0;
}
