// SPDX-License-Identifier: MIT
/*
 * One thread for each threaded handler. It sleeps until the handler wakes it, and then does the
 * work that may sleep; wakes that come before it begins are one.
 */
#include "sched/irq_thread.h"

#include <stdatomic.h>

#include "irq/irq.h"
#include "mm/heap.h"
#include "sched/thread.h"
#include "sched/wait.h"

struct irq_thread {
    struct thread *thread;   /* I */
    void (*run)(void *arg);  /* I */
    void *arg;               /* I */
    struct wait_queue queue; /* the thread sleeps there */
    _Atomic bool woken;
    _Atomic bool stopping;
};

/* Who waits in disable_irq() for thread functions. */
static struct wait_queue came_back = WAIT_QUEUE(came_back);

/* Takes the wake that it finds. */
static bool take_wake(void *arg)
{
    struct irq_thread *self = arg;
    /* acquire: what the handler wrote before it woke us is seen */
    return atomic_exchange_explicit(&self->woken, false, memory_order_acquire);
}

static bool is_wanted(void *arg)
{
    struct irq_thread *self = arg;
    return atomic_load_explicit(&self->woken, memory_order_acquire) ||
           atomic_load_explicit(&self->stopping, memory_order_acquire);
}

static void irq_thread_main(void *arg)
{
    struct irq_thread *self = arg;
    for (;;) {
        (void)wait_for(&self->queue, is_wanted, self, WAIT_FOR_EVER);
        if (!take_wake(self))
            return; /* stopping, with no work left */
        self->run(self->arg);
        wake_all(&came_back);
    }
}

static struct irq_thread *irq_thread_start(const char *name, void (*run)(void *arg), void *arg)
{
    struct irq_thread *self = heap_alloc(sizeof(*self), ALLOC_KERNEL | ALLOC_ZERO);
    if (self == NULL)
        return NULL;
    self->run = run;
    self->arg = arg;
    wait_queue_init(&self->queue);
    self->thread = thread_create(name, irq_thread_main, self, NULL);
    if (self->thread != NULL)
        return self;
    heap_free(self);
    return NULL;
}

static void irq_thread_wake(struct irq_thread *self)
{
    /* release: pairs with take_wake() */
    atomic_store_explicit(&self->woken, true, memory_order_release);
    wake_one(&self->queue);
}

static void irq_thread_stop(struct irq_thread *self)
{
    atomic_store_explicit(&self->stopping, true, memory_order_release);
    wake_one(&self->queue);
    thread_join(self->thread);
    heap_free(self);
}

static void irq_thread_wait(bool (*ready)(void *arg), void *arg)
{
    (void)wait_for(&came_back, ready, arg, WAIT_FOR_EVER);
}

static const struct irq_thread_hooks hooks = {
    .start = irq_thread_start,
    .wake = irq_thread_wake,
    .stop = irq_thread_stop,
    .wait = irq_thread_wait,
};

void irq_thread_init(void)
{
    irq_thread_hooks = &hooks;
}
