// SPDX-License-Identifier: MIT
/*
 * Spin locks: xchg to take, pause while waiting (Intel SDM vol 2B, "PAUSE").
 *
 * A lock that is ever taken in a hardirq is taken with spin_lock_irqsave everywhere else. The
 * waiter reads before it tries again, so that the line stays shared while the holder works. While
 * it waits with interrupts off it answers its core's inbox (spin_wait_hook), because the holder
 * may be waiting for that very answer.
 *
 * Each lock has its rank in lib/lock_rank.h, which says in what order they are taken and whether
 * interrupts are off meanwhile; the debug kernel holds everybody to it (lib/lock_debug.c).
 *
 * Context: hardirq (spin_trylock: any). Sleeps: no.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "arch/arch.h"
#include "lib/debug.h"
#include "lib/lock_debug.h"
#include "lib/lock_rank.h"

struct spinlock {
    _Atomic uint32_t taken;
    uint32_t rank;    /* enum lock_rank */
    const char *name; /* for reports */
};

#define SPINLOCK(lock_rank, lock_name)                                                             \
    {                                                                                              \
        .taken = 0, .rank = (lock_rank), .name = (lock_name)                                       \
    }

/* Take the lock; interrupts stay as they are. */
void spin_lock(struct spinlock *lock);

/*
 * Take the lock if it is free. Who does not wait cannot wait for ever: the order of the ranks does
 * not bind it. Returns: true if it is now the caller's.
 */
bool spin_trylock(struct spinlock *lock);

static inline void spin_unlock(struct spinlock *lock)
{
    if (DEBUG_KERNEL)
        lock_debug_released(lock);
    atomic_store_explicit(&lock->taken, 0, memory_order_release);
}

static inline uint64_t spin_lock_irqsave(struct spinlock *lock)
{
    uint64_t flags = arch_irq_save();
    spin_lock(lock);
    return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *lock, uint64_t flags)
{
    spin_unlock(lock);
    arch_irq_restore(flags);
}

/*
 * One turn of a wait for another core that lasts a few instructions: pauses and, with interrupts
 * off, answers what other cores may be waiting for.
 */
void spin_turn(void);

/*
 * Called at each turn of a wait with interrupts off; set once by smp, which answers the calls that
 * other cores have put into this core's inbox. NULL until then.
 */
extern void (*spin_wait_hook)(void);
