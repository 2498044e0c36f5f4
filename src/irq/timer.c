// SPDX-License-Identifier: MIT
/*
 * The queues, and the interrupt that serves them.
 *
 * A function runs with the queue's lock dropped, so that it may start timers, its own too. Until it
 * has returned, `running` names it: that is what timer_cancel() waits for. A soft timer that is due
 * goes to a second list, from which SOFTIRQ_TIMER takes it.
 */
#include "irq/timer.h"

#include <stdatomic.h>
#include <stddef.h>

#include "irq/softirq.h"
#include "lib/debug.h"
#include "lib/panic.h"
#include "lib/spinlock.h"

enum { HARD, SOFT }; /* an index: timer->soft */

struct timer_queue {
    struct spinlock lock;
    struct list_node timers;          /* L: the first is due first */
    struct list_node due;             /* L: soft ones whose time has come */
    struct timer *_Atomic running[2]; /* its function is being called */
};

static DEFINE_PERCPU(struct timer_queue, timer_queue);

static struct timer *timer_of(struct list_node *node)
{
    return list_entry(node, struct timer, node);
}

void timer_cpu_prepare(cpu_t cpu)
{
    struct timer_queue *queue = percpu_of(cpu, timer_queue);
    queue->lock = (struct spinlock)SPINLOCK(RANK_TIMERS, "timers");
    list_init(&queue->timers);
    list_init(&queue->due);
    atomic_init(&queue->running[HARD], NULL);
    atomic_init(&queue->running[SOFT], NULL);
}

/* Program the hardware for the first timer. Locks: caller holds the queue's. */
static void arm_first(struct timer_queue *queue, uint64_t now)
{
    if (list_is_empty(&queue->timers))
        return;
    uint64_t due = timer_of(queue->timers.next)->due_ns;
    arch_timer_arm(due > now ? due - now : 0);
}

/* Put it behind those that are due before it or with it. Locks: caller holds the queue's. */
static void insert(struct timer_queue *queue, struct timer *timer)
{
    struct list_node *at = &queue->timers;
    while (at->prev != &queue->timers && timer_of(at->prev)->due_ns > timer->due_ns)
        at = at->prev;
    list_push_back(at, &timer->node);
    timer->queued = true;
}

void timer_start_from(struct timer *timer, uint64_t now, uint64_t ns)
{
    ASSERT_NOT_NMI();
    ASSERT_IRQS_OFF();
    struct timer_queue *queue = this_cpu_ptr(timer_queue);
    spin_lock(&queue->lock);
    ASSERT(!timer->queued);
    timer->cpu = arch_cpu();
    timer->due_ns = ns < UINT64_MAX - now ? now + ns : UINT64_MAX;
    insert(queue, timer);
    if (queue->timers.next == &timer->node)
        arm_first(queue, now);
    spin_unlock(&queue->lock);
}

void timer_start(struct timer *timer, uint64_t ns)
{
    uint64_t flags = arch_irq_save();
    timer_start_from(timer, arch_clock_ns(), ns);
    arch_irq_restore(flags);
}

static struct timer *_Atomic *running_of(const struct timer *timer, struct timer_queue *queue)
{
    return &queue->running[timer->soft ? SOFT : HARD];
}

/* Take it out of its queue. Returns: was it there? *running: is its function being called? */
static bool take_back(struct timer *timer, struct timer_queue *queue, bool *running)
{
    uint64_t flags = spin_lock_irqsave(&queue->lock);
    bool queued = timer->queued;
    if (queued)
        list_remove(&timer->node); /* the hardware may come for nothing, once */
    timer->queued = false;
    *running = atomic_load_explicit(running_of(timer, queue), memory_order_relaxed) == timer;
    spin_unlock_irqrestore(&queue->lock, flags);
    return queued;
}

bool timer_cancel(struct timer *timer)
{
    struct timer_queue *queue = percpu_of(timer->cpu, timer_queue);
    bool running, kept = take_back(timer, queue, &running);
    while (running) {
        ASSERT(queue != this_cpu_ptr(timer_queue)); /* else we are in that function */
        /* acquire: what the function did is seen */
        while (atomic_load_explicit(running_of(timer, queue), memory_order_acquire) == timer)
            spin_turn();
        kept |= take_back(timer, queue, &running); /* it may have started itself anew */
    }
    return kept;
}

/* Take the first timer out if it is due. Locks: caller holds the queue's. */
static struct timer *take_due(struct timer_queue *queue)
{
    if (list_is_empty(&queue->timers))
        return NULL;
    struct timer *timer = timer_of(queue->timers.next);
    if (timer->due_ns > arch_clock_ns())
        return NULL;
    list_remove(&timer->node);
    return timer;
}

/* The timer is its function's meanwhile; the debug kernel looks at how that comes back. */
static void run(void (*fn)(struct timer *timer), struct timer *timer)
{
    if (!DEBUG_KERNEL) {
        fn(timer);
        return;
    }
    enum context context = timer->soft ? CONTEXT_SOFTIRQ : CONTEXT_HARDIRQ;
    unsigned entered = context_enter_function(context, (uintptr_t)fn);
    fn(timer);
    context_leave(context, entered);
}

/* Locks: caller holds the queue's, which is given back meanwhile. `flags`: for that while. */
static void call_function(struct timer_queue *queue, struct timer *timer, uint64_t flags)
{
    struct timer *_Atomic *running = running_of(timer, queue);
    timer->queued = false;
    atomic_store_explicit(running, timer, memory_order_relaxed);
    spin_unlock_irqrestore(&queue->lock, flags);
    run(timer->fn, timer);
    (void)spin_lock_irqsave(&queue->lock);
    /* release: pairs with timer_cancel(); the timer is its owner's from here on */
    atomic_store_explicit(running, NULL, memory_order_release);
}

void timer_interrupt(void)
{
    struct timer_queue *queue = this_cpu_ptr(timer_queue);
    struct timer *timer;
    uint64_t flags = spin_lock_irqsave(&queue->lock);
    while ((timer = take_due(queue)) != NULL) {
        if (timer->soft) {
            list_push_back(&queue->due, &timer->node);
            softirq_raise(SOFTIRQ_TIMER);
        } else {
            call_function(queue, timer, flags);
        }
    }
    arm_first(queue, arch_clock_ns());
    spin_unlock(&queue->lock);
}

/* SOFTIRQ_TIMER: those that are due by now. One that starts itself anew comes in the next round. */
static void call_soft_timers(void)
{
    struct timer_queue *queue = this_cpu_ptr(timer_queue);
    struct list_node todo; /* L: the queue's lock: timer_cancel() takes one out of here, too */
    uint64_t flags = spin_lock_irqsave(&queue->lock);
    list_take_all(&todo, &queue->due);
    while (!list_is_empty(&todo)) {
        struct timer *timer = timer_of(todo.next);
        list_remove(&timer->node);
        call_function(queue, timer, flags);
    }
    spin_unlock_irqrestore(&queue->lock, flags);
}

void timer_open_softirq(void)
{
    softirq_open(SOFTIRQ_TIMER, call_soft_timers);
}
