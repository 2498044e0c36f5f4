// SPDX-License-Identifier: MIT
/*
 * What the calling core is doing: running a thread, a softirq or an interrupt handler; and the
 * verbs that keep interrupts, or softirqs alone, off it for a while. docs/bottom-halves.md is the
 * page about it.
 *
 * All of this belongs to one core. Kernel code stays on its core between two places where it
 * sleeps, and it may not sleep while it keeps anything off, so what is kept off one core is kept
 * off by the running thread. What other cores do is held back by locks alone.
 *
 * Context: any, for all of this file, where nothing else is said. Sleeps: no. Locks: none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "lib/debug.h"

/* P: not 0: this core runs no softirqs at an interrupt's end. The nested local_bh_disable(), and
 * SOFTIRQ_RUNNING while it runs softirqs. */
DECLARE_PERCPU(uint32_t, softirq_off);
enum { SOFTIRQ_RUNNING = 1 << 16 };

/* P: what percpu_irq_depth is where no handler runs: -1, or where this core runs softirqs what it
 * was when they began. */
DECLARE_PERCPU(int32_t, softirq_irq_depth);

/* ---- where are we? --------------------------------------------------------------------------- */

/* In an interrupt handler? (What a core answers while it spins does not count, nor an NMI.)
 * Softirqs at an interrupt's end are on that interrupt's stack, and no handler. */
static inline bool in_hardirq(void)
{
    return this_cpu(percpu_irq_depth) != this_cpu(softirq_irq_depth);
}

/* Running softirqs, or in an interrupt that came meanwhile? */
static inline bool in_softirq(void)
{
    return (this_cpu(softirq_off) & SOFTIRQ_RUNNING) != 0;
}

/* In either: where nothing may sleep, whatever locks are held? */
static inline bool in_interrupt(void)
{
    return in_hardirq() || in_softirq();
}

/* ---- interrupts ------------------------------------------------------------------------------ */

/*
 * Keep this core's interrupts off, all but NMIs. save() and restore() nest: the innermost pair
 * leaves them as it found them. enable() is for who knows that they were on. It is wrong in a
 * handler, or under a lock that wants them off: the debug kernel panics and names the place.
 * Context: any. Sleeps: no.
 */
static inline void local_irq_disable(void)
{
    arch_irq_disable();
}

static inline void local_irq_enable(void)
{
    if (DEBUG_KERNEL)
        context_check_irq_enable();
    arch_irq_enable();
}

static inline uint64_t local_irq_save(void)
{
    return arch_irq_save();
}

static inline void local_irq_restore(uint64_t flags)
{
    if (DEBUG_KERNEL && arch_flags_enable_irqs(flags))
        context_check_irq_enable();
    arch_irq_restore(flags);
}
