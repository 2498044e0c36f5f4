// SPDX-License-Identifier: MIT
/*
 * The waiting half of a spin lock; taking a free one and giving it back are inline.
 *
 * A core that waits with interrupts off cannot be reached by an IPI. If the holder in turn waits
 * for that core's answer (a shootdown), both would wait for ever; so the waiter answers what is in
 * its inbox, through the hook, at each turn. With interrupts on the IPI itself does it.
 */
#include "lib/spinlock.h"

void (*spin_wait_hook)(void);

void spin_lock(struct spinlock *lock)
{
    while (!spin_trylock(lock)) {
        /* relaxed: only a hint when to try again; spin_trylock orders what follows */
        while (atomic_load_explicit(&lock->taken, memory_order_relaxed) != 0) {
            arch_relax();
            if (spin_wait_hook != NULL && !arch_irqs_enabled())
                spin_wait_hook();
        }
    }
}
