// SPDX-License-Identifier: MIT
/*
 * Mutexes and wait queues for host tests with many threads. A mutex is its owner, as in the kernel;
 * who has to wait for it tries again and again. A
 * wait queue wakes everybody who waits anywhere; each looks again.
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>

#include "sched/mutex.h"
#include "sched/thread.h"
#include "sched/wait.h"

static pthread_mutex_t queues = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;

static char somebody;
static struct thread *const held = (struct thread *)&somebody;

void mutex_init(struct mutex *mutex)
{
    atomic_init(&mutex->owner, NULL);
}

/* Acquire and release as the kernel's: all that TSan knows of a mutex are these two. */
void mutex_lock(struct mutex *mutex)
{
    struct thread *nobody = NULL;
    while (!atomic_compare_exchange_weak_explicit(&mutex->owner, &nobody, held,
                                                  memory_order_acquire, memory_order_relaxed)) {
        nobody = NULL;
        sched_yield();
    }
}

void mutex_unlock(struct mutex *mutex)
{
    if (atomic_exchange_explicit(&mutex->owner, NULL, memory_order_release) != held)
        abort();
}

void wait_queue_init(struct wait_queue *queue)
{
    list_init(&queue->waiters);
}

bool wait_for(struct wait_queue *queue, bool (*ready)(void *arg), void *arg, uint64_t timeout_ns)
{
    (void)queue, (void)timeout_ns;
    pthread_mutex_lock(&queues);
    while (!ready(arg))
        pthread_cond_wait(&woken, &queues);
    pthread_mutex_unlock(&queues);
    return true;
}

void wake_all(struct wait_queue *queue)
{
    (void)queue;
    pthread_mutex_lock(&queues);
    pthread_cond_broadcast(&woken);
    pthread_mutex_unlock(&queues);
}

void thread_point(void)
{
}
