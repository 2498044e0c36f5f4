// SPDX-License-Identifier: MIT
/*
 * Taking a spin lock, and waiting for it; giving it back is inline.
 *
 * A core that waits with interrupts off cannot be reached by an IPI. If the holder in turn waits
 * for that core's answer (a shootdown), both would wait for ever; so the waiter answers what is in
 * its inbox, through the hook, at each turn. With interrupts on the IPI itself does it.
 */
#include "lib/spinlock.h"

#include "lib/context.h"
#include "lib/log.h"

#define REPORT_NS UINT64_C(1000000000)

void (*spin_wait_hook)(void);

void spin_turn(void)
{
    arch_relax();
    if (spin_wait_hook != NULL && !arch_irqs_enabled())
        spin_wait_hook();
}

/* One turn of a wait that began at `since_ns`; `reported` keeps the report to one. */
static void wait_turn(const struct spinlock *lock, uint64_t since_ns, bool *reported)
{
    spin_turn();
    if (!*reported && arch_clock_ns() - since_ns > REPORT_NS) {
        *reported = true;
        log_warn("core %u has waited 1 s for the lock \"%s\"", arch_cpu(), lock->name);
        if (DEBUG_KERNEL)
            lock_debug_log_holder(lock);
        /* the console's lock is for threads, and what stands behind it takes locks that the caller
         * may hold if interrupts are off */
        if (arch_irqs_enabled() && !in_interrupt())
            log_drain(); /* nobody else may be awake to show it */
    }
}

static bool take(struct spinlock *lock)
{
    /* acquire: pairs with the release in spin_unlock */
    return atomic_exchange_explicit(&lock->taken, 1, memory_order_acquire) == 0;
}

static void wait_and_take(struct spinlock *lock)
{
    uint64_t since_ns = arch_clock_ns();
    bool reported = false;
    do {
        /* relaxed: only a hint when to try again; take() orders what follows */
        while (atomic_load_explicit(&lock->taken, memory_order_relaxed) != 0)
            wait_turn(lock, since_ns, &reported);
    } while (!take(lock));
}

void spin_lock(struct spinlock *lock)
{
    if (DEBUG_KERNEL)
        lock_debug_before(lock, (uintptr_t)__builtin_return_address(0));
    if (!take(lock))
        wait_and_take(lock);
    if (DEBUG_KERNEL)
        lock_debug_taken(lock, (uintptr_t)__builtin_return_address(0));
}

bool spin_trylock(struct spinlock *lock)
{
    bool taken = take(lock);
    if (DEBUG_KERNEL && taken)
        lock_debug_taken(lock, (uintptr_t)__builtin_return_address(0));
    return taken;
}
