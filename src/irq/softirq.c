// SPDX-License-Identifier: MIT
/*
 * One word of bits for each core, softirq_pending, and one that keeps them waiting, softirq_off.
 * Both are the core's own, so there is nothing to lock and no other core to wait for.
 *
 * Where bits are looked at, so that none is forgotten:
 *
 *     at an interrupt's end (stubs.asm), if the core was not running softirqs nor keeping them off
 *     in local_bh_enable(), the outermost
 *     in softirq_raise(), called by a thread that keeps nothing off
 *     a thread that raises one with interrupts off sends its own core an interrupt, which comes as
 *     soon as they are on again
 *     in ksoftirqd/N, while softirqs are left to it (`to_thread`)
 */
#include "irq/softirq.h"

#include "lib/debug.h"
#include "lib/panic.h"

enum {
    ROUNDS_MAX = 10, /* at one go, before the thread goes on */
    NS_MAX = 2000000,
};

DEFINE_PERCPU(uint32_t, softirq_pending);
static DEFINE_PERCPU(bool, to_thread); /* P: ksoftirqd/N was woken and has not caught up */
static DEFINE_PERCPU(uint64_t, handed_over);
static DEFINE_PERCPU(uint64_t, softirq_counts[SOFTIRQ_ALL]);

static void (*actions[SOFTIRQ_ALL])(void); /* I: each before it is first raised */
static bool (*wake_thread)(cpu_t cpu);     /* I */

static const char *const names[SOFTIRQ_COUNT] = {
    [SOFTIRQ_TIMER] = "TIMER",
    [SOFTIRQ_NET_TX] = "NET_TX",
    [SOFTIRQ_NET_RX] = "NET_RX",
    [SOFTIRQ_TASKLET] = "TASKLET",
};

void softirq_open(enum softirq nr, void (*action)(void))
{
    ASSERT(nr < SOFTIRQ_ALL && actions[nr] == NULL);
    actions[nr] = action;
}

/* ---- running --------------------------------------------------------------------------------- */

static void run_action(unsigned nr)
{
    unsigned entered =
        DEBUG_KERNEL ? context_enter_function(CONTEXT_SOFTIRQ, (uintptr_t)actions[nr]) : 0;
    (*this_cpu_ptr(softirq_counts))[nr]++;
    actions[nr]();
    if (DEBUG_KERNEL)
        context_leave(CONTEXT_SOFTIRQ, entered);
}

/* All that has been raised by now. Interrupts are off, but for the functions. */
static void run_round(void)
{
    uint32_t bits = this_cpu(softirq_pending);
    this_cpu(softirq_pending) = 0;
    arch_irq_enable();
    for (; bits != 0; bits &= bits - 1)
        run_action((unsigned)__builtin_ctz(bits));
    arch_irq_disable();
}

/* The core gets an interrupt, at whose end it looks. Should it not be sent, the scan finds out. */
static void kick_self(void)
{
    (void)arch_ipi_send_irqs_off(arch_cpu(), ARCH_VECTOR_RESCHEDULE);
}

static void leave_to_thread(void)
{
    if (wake_thread == NULL) {
        kick_self();
        return;
    }
    if (!wake_thread(arch_cpu()))
        return; /* no kick: threads are to get on, that which makes it too */
    this_cpu(to_thread) = true;
    this_cpu(handed_over) += 1;
}

/* Run what waits, round after round, but not for ever. Interrupts are off before and after;
 * softirq_off is 0. Returns: did that do? */
static bool run_for_a_while(void)
{
    uint64_t begin = arch_ticks();
    unsigned round = 0;
    this_cpu(softirq_off) = SOFTIRQ_RUNNING;
    this_cpu(softirq_irq_depth) = this_cpu(percpu_irq_depth);
    do {
        run_round();
        round++;
    } while (this_cpu(softirq_pending) != 0 && round < ROUNDS_MAX &&
             arch_ticks_to_ns(arch_ticks() - begin) < NS_MAX);
    this_cpu(softirq_irq_depth) = -1;
    this_cpu(softirq_off) = 0;
    return this_cpu(softirq_pending) == 0;
}

void softirq_interrupt(void)
{
    if (this_cpu(softirq_off) != 0 || this_cpu(to_thread))
        return;
    if (!run_for_a_while())
        leave_to_thread();
}

void softirq_run_pending(void)
{
    uint64_t flags = arch_irq_save();
    if (this_cpu(softirq_pending) != 0) { /* no interrupt has come and run it */
        if (arch_flags_enable_irqs(flags))
            softirq_interrupt();
        else
            kick_self();
    }
    arch_irq_restore(flags);
}

/* ---- raising --------------------------------------------------------------------------------- */

void softirq_raise(enum softirq nr)
{
    ASSERT_NOT_NMI();
    ASSERT(actions[nr] != NULL);
    this_cpu_or(softirq_pending, 1u << nr);
    if (!in_hardirq() && this_cpu(softirq_off) == 0)
        softirq_run_pending();
}

/* ---- the thread ------------------------------------------------------------------------------ */

void softirq_set_thread(bool (*wake)(cpu_t cpu))
{
    wake_thread = wake;
}

bool softirq_thread_is_due(void)
{
    return this_cpu(to_thread);
}

void softirq_run_in_thread(void)
{
    ASSERT_THREAD();
    ASSERT(in_interrupt() == false && this_cpu(softirq_off) == 0);
    arch_irq_disable();
    this_cpu(to_thread) = !run_for_a_while();
    arch_irq_enable();
}

/* ---- what has been --------------------------------------------------------------------------- */

uint64_t softirq_count_of(enum softirq nr, cpu_t cpu)
{
    return (*percpu_of(cpu, softirq_counts))[nr];
}

const char *softirq_name(enum softirq nr)
{
    return names[nr];
}

uint64_t softirq_handed_over(cpu_t cpu)
{
    return *percpu_of(cpu, handed_over);
}

void softirq_kick(cpu_t cpu)
{
    const volatile uint32_t *pending = percpu_of(cpu, softirq_pending);
    const volatile bool *left = percpu_of(cpu, to_thread);
    if (*pending != 0 && !*left)
        (void)arch_ipi_send(cpu, ARCH_VECTOR_RESCHEDULE);
}
