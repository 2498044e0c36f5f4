// SPDX-License-Identifier: MIT
/*
 * What a core does before ring 3 goes on, when something was noted for it (arch_work_note).
 *
 * The log is shown once on each way out, not until it is empty: who rings without pause adds lines
 * without pause, and the program that is rung would never go on. What is left is looked at again in
 * a millisecond, even if nothing else interrupts the program.
 */
#include "arch/arch.h"
#include "irq/timer.h"
#include "lib/debug.h"
#include "lib/lock_debug.h"
#include "lib/log.h"
#include "sched/thread.h"

#define LOOK_AGAIN_NS UINT64_C(1000000)

static DEFINE_PERCPU(struct timer, look_again); /* P: this core's */

static void note(struct timer *timer)
{
    (void)timer;
    arch_work_note();
}

static void look_again_soon(void)
{
    uint64_t flags = arch_irq_save();
    struct timer *timer = this_cpu_ptr(look_again);
    timer->fn = note;
    if (!timer->queued)
        timer_start(timer, LOOK_AGAIN_NS);
    arch_irq_restore(flags);
}

void user_return_work(void)
{
    thread_point();
    log_drain();
    if (log_pending())
        look_again_soon();
    if (DEBUG_KERNEL)
        lock_debug_none("goes to ring 3");
}

bool user_return_is_urgent(void)
{
    return thread_is_due();
}
