// SPDX-License-Identifier: MIT
/*
 * The interrupts of rings, and each core's vector table.
 *
 * Index of a vector table is the vector; it says which irq the vector means on that core, and, for
 * a ring, holds the count of rings not yet taken. What belongs to one core only (counts, the
 * handler's cookie) lies in that core's memory, and no lock is taken between the interrupt and the
 * handler: this is the flow of interrupts that belong to one core each. Those of devices, which
 * move between cores, are irq/irq.h's; they use the same tables.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"

#define IRQ_FREE UINT32_MAX     /* in a vector table: this vector means nothing here */
#define IRQ_REMOVING (1u << 31) /* or'ed to a ring's irq: still handled, no longer to be rung */

/*
 * Called with all rings that have come since it last ran, as a count, and with the core's cookie,
 * on the core that was rung. Context: hardirq, interrupts off.
 */
typedef void (*doorbell_handler)(uint32_t irq, uint64_t count, void *cookie);

/*
 * One entry of a core's vector table. A sender adds to `pending` before it sends the interrupt;
 * the core takes the whole count at once.
 */
struct vector_slot {
    _Atomic uint64_t pending;
    _Atomic uint32_t irq;   /* IRQ_FREE, or an irq, perhaps with IRQ_REMOVING */
    _Atomic uint32_t takes; /* P: how often the core has taken the count, wraps */
};
DECLARE_PERCPU(struct vector_slot, vector_table[ARCH_VECTOR_COUNT]);

/*
 * Odd while this core takes a ring. Who takes an entry away waits until it has been even
 * (smp/ipi.c, steps H1 and R5).
 */
DECLARE_PERCPU(_Atomic uint32_t, irq_handling);

/*
 * Take a free irq for rings of `vector`, from max(16, nr_gsi) up. No vector table is touched.
 * Returns: the irq, or -ENOSPC. Context: thread. Sleeps: no. Locks: takes irq.
 */
int doorbell_alloc(const char *name, uint8_t vector, doorbell_handler handler);

/* Give it back: no vector table names it and no handler runs any more. Context: as
 * doorbell_alloc. */
void doorbell_free(uint32_t irq);

/* The handler's own data for one core. Context: thread, before the irq can come. */
void doorbell_set_cookie(uint32_t irq, cpu_t cpu, void *cookie);

/* The entry of a core's vector table; a core that was never prepared has none but free ones.
 * Context: any. */
static inline struct vector_slot *irq_slot(cpu_t cpu, unsigned vector)
{
    return &(*percpu_of(cpu, vector_table))[vector];
}

/* Let `vector` on core `cpu` mean `irq`, or nothing (IRQ_FREE). Context: thread. */
static inline void irq_bind(cpu_t cpu, unsigned vector, uint32_t irq)
{
    /* release: the irq_desc is complete for who finds the irq here (irq_dispatch, senders) */
    atomic_store_explicit(&irq_slot(cpu, vector)->irq, irq, memory_order_release);
}
