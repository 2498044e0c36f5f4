// SPDX-License-Identifier: MIT
/*
 * The order that loses no wake-up: the waiter is in the queue and its thread marked as about to
 * block, both under the queue's lock, before it asks whether it has to wait. Who makes the answer
 * "ready" does so before it takes that lock to wake: so either the waiter sees the answer, or the
 * waker sees the waiter. (models/queue.pml: B1 to B3)
 *
 * A waker takes the waiter out of the queue. A waiter that leaves for another reason (its time is
 * over, or it found the answer before it was woken) takes itself out, and if a waker was faster it
 * passes the wake-up on, since wake_one() meant somebody who stays.
 */
#include "sched/wait.h"

#include "irq/timer.h"
#include "lib/debug.h"
#include "sched/thread.h"

struct waiter {
    struct list_node node; /* L: the queue's lock */
    struct thread *thread; /* I */
    bool queued;           /* L: the queue's lock */
};

/* A thread's alarm clock. */
struct alarm {
    struct timer timer;
    struct thread *thread;
    _Atomic bool rang;
};

void wait_queue_init(struct wait_queue *queue)
{
    queue->lock = (struct spinlock)SPINLOCK(RANK_WAIT_QUEUE, "wait queue");
    list_init(&queue->waiters);
}

/* ---- alarms ---------------------------------------------------------------------------------- */

static void ring_alarm(struct timer *timer)
{
    struct alarm *alarm = list_entry(timer, struct alarm, timer);
    atomic_store_explicit(&alarm->rang, true, memory_order_release);
    (void)thread_wake(alarm->thread);
}

static void alarm_set(struct alarm *alarm, uint64_t ns)
{
    *alarm = (struct alarm){.timer = TIMER(ring_alarm), .thread = thread_current()};
    if (ns != WAIT_FOR_EVER)
        timer_start(&alarm->timer, ns);
}

static bool alarm_rang(struct alarm *alarm)
{
    return atomic_load_explicit(&alarm->rang, memory_order_acquire);
}

static void alarm_stop(struct alarm *alarm, uint64_t ns)
{
    if (ns != WAIT_FOR_EVER)
        (void)timer_cancel(&alarm->timer);
}

void thread_sleep(uint64_t ns)
{
    struct alarm alarm;
    might_sleep();
    alarm_set(&alarm, ns);
    for (;;) {
        thread_prepare_block();
        if (alarm_rang(&alarm))
            break;
        thread_block();
    }
    thread_cancel_block();
    alarm_stop(&alarm, ns);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void join_queue(struct wait_queue *queue, struct waiter *waiter)
{
    uint64_t flags = spin_lock_irqsave(&queue->lock);
    if (!waiter->queued)
        list_push_back(&queue->waiters, &waiter->node);
    waiter->queued = true;
    thread_prepare_block(); /* step B1 */
    spin_unlock_irqrestore(&queue->lock, flags);
}

/* A wake-up that came meanwhile is not for a waiter that leaves: it goes on to the next one. */
static void leave_queue(struct wait_queue *queue, struct waiter *waiter)
{
    uint64_t flags = spin_lock_irqsave(&queue->lock);
    bool woken = !waiter->queued;
    if (waiter->queued)
        list_remove(&waiter->node);
    waiter->queued = false;
    thread_cancel_block();
    spin_unlock_irqrestore(&queue->lock, flags);
    if (woken)
        wake_one(queue);
}

static bool sleep_until(struct wait_queue *queue, bool (*ready)(void *), void *arg,
                        struct alarm *alarm)
{
    struct waiter waiter = {.thread = thread_current()};
    bool done;
    for (;;) {
        join_queue(queue, &waiter);
        done = ready(arg); /* step B2 */
        if (done || alarm_rang(alarm))
            break;
        thread_block();
    }
    leave_queue(queue, &waiter);
    return done;
}

bool wait_for(struct wait_queue *queue, bool (*ready)(void *arg), void *arg, uint64_t timeout_ns)
{
    ASSERT_THREAD();
    if (timeout_ns == 0)
        return ready(arg);
    might_sleep();
    if (ready(arg))
        return true;
    struct alarm alarm;
    alarm_set(&alarm, timeout_ns);
    bool done = sleep_until(queue, ready, arg, &alarm);
    alarm_stop(&alarm, timeout_ns);
    return done;
}

/* ---- waking ---------------------------------------------------------------------------------- */

/* Locks: caller holds the queue's. */
static void wake_first(struct wait_queue *queue)
{
    struct waiter *waiter = list_entry(queue->waiters.next, struct waiter, node);
    list_remove(&waiter->node);
    waiter->queued = false;
    (void)thread_wake(waiter->thread);
}

void wake_one(struct wait_queue *queue)
{
    uint64_t flags = spin_lock_irqsave(&queue->lock);
    if (!list_is_empty(&queue->waiters))
        wake_first(queue);
    spin_unlock_irqrestore(&queue->lock, flags);
}

void wake_all(struct wait_queue *queue)
{
    uint64_t flags = spin_lock_irqsave(&queue->lock);
    while (!list_is_empty(&queue->waiters))
        wake_first(queue);
    spin_unlock_irqrestore(&queue->lock, flags);
}
