// SPDX-License-Identifier: MIT
/*
 * A sleeping lock: who has to wait gives its core away. For what is held while sleeping, or for
 * long; never in a handler.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "sched/wait.h"

struct thread;

struct mutex {
    struct thread *_Atomic owner; /* NULL: free */
    struct wait_queue waiters;
};

#define MUTEX(mutex)                                                                               \
    {                                                                                              \
        .owner = NULL, .waiters = WAIT_QUEUE((mutex).waiters)                                      \
    }

void mutex_init(struct mutex *mutex);

/* Take it. A second time by its owner is a panic. Context: thread, no spin lock held. Sleeps: yes.
 */
void mutex_lock(struct mutex *mutex);

/* Take it if it is free. Context: thread. Sleeps: no. */
bool mutex_trylock(struct mutex *mutex);

/* Give it back; a panic if the caller does not own it. Context: thread. Sleeps: no. */
void mutex_unlock(struct mutex *mutex);
