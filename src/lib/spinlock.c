// SPDX-License-Identifier: MIT
/*
 * The waiting half of a spin lock; taking a free one and giving it back are inline.
 *
 * A core that waits with interrupts off cannot be reached by an IPI. If the holder in turn waits
 * for that core's answer (a shootdown), both would wait for ever; so the waiter answers what is in
 * its inbox, through the hook, at each turn. With interrupts on the IPI itself does it.
 */
#include "lib/spinlock.h"

#include "lib/log.h"

#define REPORT_NS UINT64_C(1000000000)

void (*spin_wait_hook)(void);

/* One turn of a wait that began at `since_ns`; `reported` keeps the report to one. */
static void wait_turn(const struct spinlock *lock, uint64_t since_ns, bool *reported)
{
    arch_relax();
    if (spin_wait_hook != NULL && !arch_irqs_enabled())
        spin_wait_hook();
    if (!*reported && arch_clock_ns() - since_ns > REPORT_NS) {
        *reported = true;
        log_warn("core %u has waited 1 s for the lock \"%s\"", arch_cpu(), lock->name);
    }
}

void spin_lock(struct spinlock *lock)
{
    if (spin_trylock(lock))
        return;
    uint64_t since_ns = arch_clock_ns();
    bool reported = false;
    while (!spin_trylock(lock)) {
        /* relaxed: only a hint when to try again; spin_trylock orders what follows */
        while (atomic_load_explicit(&lock->taken, memory_order_relaxed) != 0)
            wait_turn(lock, since_ns, &reported);
    }
}
