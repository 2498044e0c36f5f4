// SPDX-License-Identifier: MIT
/*
 * Softirqs: what an interrupt's handler leaves to be done at once, but with interrupts on again.
 *
 * A handler raises a softirq on its core; the core runs it at the end of that interrupt, after the
 * EOI. There are few of them and each has one function, set at boot; drivers use tasklets, timers
 * and the network's polls, which stand on them. docs/bottom-halves.md says which to use when.
 *
 * A function runs on the core that raised it, with interrupts on, beside itself on other cores, but
 * on one core one after the other: no softirq interrupts another. It may not sleep. What it raises
 * meanwhile, its own softirq too, runs in a round after it: at once for some rounds, then the rest
 * is left to the thread ksoftirqd/N of that core, so that a flood of interrupts cannot keep threads
 * off it. Until that thread has caught up, nothing but it runs softirqs there. What a function does
 * in one round is its own to bound: it leaves what comes meanwhile to the next one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "lib/context.h"
#include "lib/spinlock.h"

/* In the order in which one core runs them. */
enum softirq {
    SOFTIRQ_TIMER,  /* timers whose function may take a while (irq/timer.h) */
    SOFTIRQ_NET_TX, /* the network: frames that were sent; nobody raises it yet */
    SOFTIRQ_NET_RX, /* frames that have come */
    SOFTIRQ_TASKLET,
    SOFTIRQ_COUNT,
    SOFTIRQ_SELFTEST = SOFTIRQ_COUNT, /* for self-tests alone; nobody shows it */
    SOFTIRQ_ALL,
};

/* P: a bit for each softirq that was raised on this core and has not begun; stubs.asm looks at it
 * at each interrupt's end. */
DECLARE_PERCPU(uint32_t, softirq_pending);

/*
 * Give softirq `nr` its function, once, before anybody raises it; it stays. The function may not
 * come back with another interrupt flag, another depth of local_bh_disable() or another lock than
 * it found; nor stay for longer than some hundred microseconds.
 * Context: boot cpu only. Sleeps: no. Locks: none.
 */
void softirq_open(enum softirq nr, void (*action)(void));

/*
 * Have softirq `nr` run on this core: at the end of the interrupt; from a thread, before this
 * returns, or when it turns on again what it keeps off (interrupts, softirqs). Raised several
 * times before it begins, it runs once.
 * Context: hardirq. Sleeps: no. Locks: none.
 */
void softirq_raise(enum softirq nr);

/* What local_bh_enable() does if something waits. */
void softirq_run_pending(void);

/*
 * Keep softirqs off this core; interrupts still come. Calls nest. Who shares data with a softirq
 * needs this, or spin_lock_bh() where other cores share them too.
 * Context: softirq. Sleeps: no; nor may the caller before local_bh_enable(). Locks: none.
 */
static inline void local_bh_disable(void)
{
    this_cpu_add(softirq_off, 1);
}

/* Undo one of those. The last one runs what was raised meanwhile before it returns, so it may take
 * as long as that does. Context: softirq, with interrupts on. Sleeps: no. */
static inline void local_bh_enable(void)
{
    if (DEBUG_KERNEL)
        context_check_bh_enable();
    this_cpu_add(softirq_off, -1);
    if (this_cpu(softirq_off) == 0 && this_cpu(softirq_pending) != 0)
        softirq_run_pending();
}

/* Take a lock of rank RANK_BH_OFF, against softirqs of this core and whatever other cores do.
 * Context: softirq, with interrupts on. Sleeps: no. */
static inline void spin_lock_bh(struct spinlock *lock)
{
    local_bh_disable();
    spin_lock(lock);
}

/* Give it back. Context: softirq, with interrupts on. Sleeps: no. */
static inline void spin_unlock_bh(struct spinlock *lock)
{
    spin_unlock(lock);
    local_bh_enable();
}

/* How often softirq `nr` has run on core `cpu`; a snapshot. Context: any. */
uint64_t softirq_count_of(enum softirq nr, cpu_t cpu);

/* Its name in /proc/softirqs: "TIMER", "NET_TX"... Context: any. */
const char *softirq_name(enum softirq nr);

/* ---- for sched/ksoftirqd.c alone, but where it says so --------------------------------------- */

/*
 * Who goes on with softirqs that have taken too long: wake(cpu) is called on that core, interrupts
 * off, and sees to it that a thread of it calls softirq_run_in_thread(). It returns false if that
 * thread is still to be made: until then they go on at the ends of interrupts, of which the scan
 * brings one. Context: boot cpu only.
 */
void softirq_set_thread(bool (*wake)(cpu_t cpu));

/* Is there something left to that thread? Context: any, on the core itself. */
bool softirq_thread_is_due(void);

/* Run some of it. Context: thread, interrupts and softirqs on: that thread, or one that keeps it
 * off the core while it waits for softirqs (irq/tasklet.c). Sleeps: no. */
void softirq_run_in_thread(void);

/* How often core `cpu` has left softirqs to its thread; a snapshot. Context: any. */
uint64_t softirq_handed_over(cpu_t cpu);

/*
 * Kick core `cpu` if softirqs wait there and no interrupt is on its way: for the scan (smp/scan.c),
 * should a message have been lost. Context: hardirq.
 */
void softirq_kick(cpu_t cpu);
