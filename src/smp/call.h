// SPDX-License-Identifier: MIT
/*
 * Running a function on another core. Each core has an inbox, a lock-free list: the sender puts its
 * call in and rings only if the inbox was empty; the core takes the whole list at once.
 *
 * The functions run with interrupts off on the core that was called, in hardirq context, in the
 * order in which they were put in. They may take leaf locks only: a core answers calls also while
 * it spins for a lock, and may hold an outer one then.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "arch/arch.h"
#include "lib/cpumask.h"

/* A call under way. The caller owns the memory until `busy` is false. */
struct core_call {
    struct core_call *next; /* the inbox's */
    void (*fn)(void *arg);
    void *arg;
    _Atomic bool busy;
};

/*
 * Run fn(arg) on core `cpu` and wait until it has returned. On the caller's own core it is run at
 * once. Returns: 0, or -ENXIO (cpu is not online). Context: hardirq. Sleeps: no (spins).
 */
int call_on(cpu_t cpu, void (*fn)(void *arg), void *arg);

/*
 * The same on every online core of `mask`, side by side; returns when all have returned.
 * Returns: on how many cores it ran. Context: hardirq. Sleeps: no (spins).
 */
cpu_t call_on_many(const struct cpumask *mask, void (*fn)(void *arg), void *arg);

/*
 * Run call->fn(call->arg) on core `cpu`, now or soon, without waiting. The call may be used again
 * as soon as its `busy` is false, which may be before fn has run.
 * Returns: 0, -ENXIO (cpu is not online), -EBUSY (the call is still under way).
 * Context: hardirq. Sleeps: no.
 */
int call_on_async(struct core_call *call, cpu_t cpu);

/* Answer the calls in this core's inbox. Context: hardirq, interrupts off. */
void call_answer(void);

/* Ring again for an inbox whose interrupt was lost. Context: hardirq. */
void call_kick(cpu_t cpu);

/* Does a call wait in some online core's inbox? Context: any. */
bool call_any_waiting(void);

/* Let spin locks answer calls while they wait, and the irq room make calls. Context: boot cpu only.
 */
void call_init(void);
