// SPDX-License-Identifier: MIT
/* See fake_threads.h. */
#include <stdio.h>
#include <stdlib.h>

#include "fake_threads.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "sched/wait.h"

void (*fake_sleep)(void);
unsigned fake_sleeps;
unsigned fake_locks;

static struct thread *const myself = (struct thread *)&fake_locks;

static void stop(const char *why)
{
    fprintf(stderr, "fake threads: %s\n", why);
    abort();
}

void mutex_init(struct mutex *mutex)
{
    atomic_init(&mutex->owner, NULL);
}

void mutex_lock(struct mutex *mutex)
{
    if (atomic_load(&mutex->owner) != NULL)
        stop("a mutex is taken twice");
    atomic_store(&mutex->owner, myself);
    fake_locks++;
}

void mutex_unlock(struct mutex *mutex)
{
    if (atomic_load(&mutex->owner) == NULL)
        stop("a mutex that nobody has is given back");
    atomic_store(&mutex->owner, NULL);
    fake_locks--;
}

void wait_queue_init(struct wait_queue *queue)
{
    list_init(&queue->waiters);
}

bool wait_for(struct wait_queue *queue, bool (*ready)(void *arg), void *arg, uint64_t timeout_ns)
{
    (void)queue, (void)timeout_ns;
    if (fake_locks != 0)
        stop("sleeps with a mutex held");
    if (ready(arg))
        return true;
    fake_sleeps++;
    if (fake_sleep != NULL)
        fake_sleep();
    if (!ready(arg))
        stop("sleeps for ever");
    return true;
}

void wake_all(struct wait_queue *queue)
{
    (void)queue;
}

void thread_point(void)
{
}
