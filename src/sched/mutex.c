// SPDX-License-Identifier: MIT
/*
 * The owner's name is the lock. Who unlocks wakes one waiter, which then tries like everybody else:
 * a running thread may be faster, so that a lock never stands idle until a sleeper has woken up.
 */
#include "sched/mutex.h"

#include "lib/debug.h"
#include "lib/panic.h"
#include "sched/thread.h"

void mutex_init(struct mutex *mutex)
{
    atomic_init(&mutex->owner, NULL);
    wait_queue_init(&mutex->waiters);
}

bool mutex_trylock(struct mutex *mutex)
{
    struct thread *nobody = NULL;
    /* acquire: pairs with the release in mutex_unlock() */
    return atomic_compare_exchange_strong_explicit(&mutex->owner, &nobody, thread_current(),
                                                   memory_order_acquire, memory_order_relaxed);
}

static bool try_lock(void *mutex)
{
    return mutex_trylock(mutex);
}

void mutex_lock(struct mutex *mutex)
{
    might_sleep();
    ASSERT(atomic_load_explicit(&mutex->owner, memory_order_relaxed) != thread_current());
    if (!mutex_trylock(mutex))
        (void)wait_for(&mutex->waiters, try_lock, mutex, WAIT_FOR_EVER);
}

void mutex_unlock(struct mutex *mutex)
{
    ASSERT(atomic_load_explicit(&mutex->owner, memory_order_relaxed) == thread_current());
    /* release: what the owner wrote is seen by the next one */
    atomic_store_explicit(&mutex->owner, NULL, memory_order_release);
    wake_one(&mutex->waiters);
}
