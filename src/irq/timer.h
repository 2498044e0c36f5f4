// SPDX-License-Identifier: MIT
/*
 * One-shot timers. Each core keeps its own, sorted by when they are due, and programs its Local
 * APIC's timer for the first; a core with none takes no timer interrupt.
 *
 * A timer belongs to one owner, who alone starts and cancels it. Its function runs once, on the
 * core on which it was started, at or after the time that was asked for: in hardirq context, or,
 * for one that SOFT_TIMER() made, in softirq context (SOFTIRQ_TIMER), which is for what takes
 * longer than a few microseconds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "lib/list.h"

struct timer {
    struct list_node node; /* L: the queue's lock */
    uint64_t due_ns;       /* by its core's clock */
    void (*fn)(struct timer *timer);
    cpu_t cpu;   /* whose queue it was put into last; its owner's */
    bool queued; /* L: the queue's lock; it waits for its time, or for its softirq */
    bool soft;   /* I: its function runs in a softirq */
};

#define TIMER(function)                                                                            \
    {                                                                                              \
        .fn = (function)                                                                           \
    }

#define SOFT_TIMER(function)                                                                       \
    {                                                                                              \
        .fn = (function), .soft = true                                                             \
    }

/* Open SOFTIRQ_TIMER. Context: boot cpu only. */
void timer_open_softirq(void);

/* Give core `cpu` its queue. Context: boot cpu only, before that core takes interrupts. */
void timer_cpu_prepare(cpu_t cpu);

/*
 * Have timer->fn called on this core in `ns` from now. The timer is not queued.
 * Context: hardirq. Sleeps: no. Locks: takes timers.
 */
void timer_start(struct timer *timer, uint64_t ns);

/* The same for a caller that has interrupts off and has just read arch_clock_ns(): it was `now`. */
void timer_start_from(struct timer *timer, uint64_t now, uint64_t ns);

/*
 * Take the timer back. When this returns its function is not running and will not run, and its
 * memory is the owner's.
 * Returns: true if that kept the function from running.
 * Context: hardirq (for a soft timer: softirq), not in the timer's own function. Sleeps: no (spins
 * while the function runs on another core, and answers calls meanwhile). Locks: takes timers; the
 * caller holds none that the function wants.
 */
bool timer_cancel(struct timer *timer);
