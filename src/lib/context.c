// SPDX-License-Identifier: MIT
/*
 * The debug kernel's account of what each core is doing: how many handlers of each kind it is in.
 * A handler finds the counts as it leaves them, so plain increments by the core itself suffice, in
 * an NMI too.
 */
#include "lib/debug.h"
#include "lib/lock_debug.h"
#include "lib/spinlock.h"

static DEFINE_PERCPU(unsigned, context_depth[CONTEXT_NMI + 1]);

static unsigned *depth_of(enum context context)
{
    return &(*this_cpu_ptr(context_depth))[context];
}

enum context context_now(void)
{
    if (*depth_of(CONTEXT_NMI) != 0)
        return CONTEXT_NMI;
    return *depth_of(CONTEXT_HARDIRQ) != 0 ? CONTEXT_HARDIRQ : CONTEXT_THREAD;
}

const char *context_name(enum context context)
{
    static const char *const names[] = {
        [CONTEXT_THREAD] = "a thread",
        [CONTEXT_HARDIRQ] = "an interrupt handler",
        [CONTEXT_NMI] = "an NMI",
    };
    return names[context];
}

unsigned context_enter(enum context context)
{
    ++*depth_of(context);
    return lock_debug_count();
}

unsigned context_enter_interrupt(void)
{
    const struct spinlock *lock = lock_debug_irqs_off();
    unsigned entered = context_enter(CONTEXT_HARDIRQ);
    if (lock != NULL && !panic_is_here())
        panic("an interrupt came while lock \"%s\" was held, which wants them off", lock->name);
    return entered;
}

void context_leave(enum context context, unsigned entered)
{
    if (!panic_is_here() && arch_irqs_enabled())
        panic("%s came back with interrupts on", context_name(context));
    if (!panic_is_here() && lock_debug_count() != entered)
        panic("%s came back with %u locks held, after %u before it", context_name(context),
              lock_debug_count(), entered);
    --*depth_of(context);
}
