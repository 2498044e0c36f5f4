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

/* P: interrupt handlers that this core is in: 0 or 1, for they run with interrupts off. stubs.asm
 * counts; an NMI does not, nor does what a core answers while it spins. */
DECLARE_PERCPU(uint32_t, interrupt_depth);

/* P: not 0: this core runs no softirq at an interrupt's end. The nested local_bh_disable(), and
 * SOFTIRQ_RUNNING while it runs softirqs. */
DECLARE_PERCPU(uint32_t, softirq_off);
enum { SOFTIRQ_RUNNING = 1 << 16 };

/* ---- where are we? --------------------------------------------------------------------------- */

/* In an interrupt handler? One that was interrupted by an NMI counts. */
static inline bool in_hardirq(void)
{
    return this_cpu(interrupt_depth) != 0;
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
