// SPDX-License-Identifier: MIT
/*
 * What thread.c and sched.c share; nobody else includes this file.
 */
#pragma once

#include "sched/thread.h"

/* Put a ready thread that is in no queue and on no core (the caller alone has it) where it may run,
 * and see to it that it does. Context: hardirq. Locks: takes run queue. */
void sched_place(struct thread *thread);

/* Does a core of `mask` run threads? Context: any. */
bool sched_reaches(const struct cpumask *mask);

/* Leave the core for good; the thread is marked dead. Context: thread. Never returns. */
__attribute__((noreturn)) void sched_leave(void);

/* What a new thread does first: finish the switch that brought it onto its core. */
void sched_begin(void);
