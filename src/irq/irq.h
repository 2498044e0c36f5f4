// SPDX-License-Identifier: MIT
/*
 * Interrupts by number: one table of irq_desc for the machine, one vector table for each core.
 *
 *     irq      what a handler is installed for: 0..nr_gsi-1 are the I/O APICs' inputs, those of
 *              rings and messages come after, from max(16, nr_gsi) up
 *     vector   what the CPU delivers; a core's vector table says which irq it means on that core
 *
 * What belongs to one core only (the count of interrupts and rings, the handler's cookie, the
 * rings not yet taken) lies in that core's memory. A doorbell's handler gets all rings that have
 * come since it last ran, as a count; a line's handler gets 1.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"

#define IRQ_FREE UINT32_MAX     /* in a vector table: this vector means nothing here */
#define IRQ_REMOVING (1u << 31) /* or'ed to an irq: still handled, no longer to be rung */

/* Called with interrupts off, on the core that took the interrupt. Context: hardirq. */
typedef void (*irq_handler)(uint32_t irq, uint64_t count, void *cookie);

enum irq_kind {
    IRQ_LINE,     /* an I/O APIC input: each interrupt counts once */
    IRQ_DOORBELL, /* rings: the vector slot's count says how many */
};

struct irq_desc {
    const char *name;
    irq_handler handler;
    enum irq_kind kind;
    uint8_t vector;
    bool used;                  /* L: irq_lock */
} __attribute__((aligned(32))); /* a power of two: an index becomes an address by a shift */

/* What one core keeps for one irq. */
struct irq_stat {
    uint64_t interrupts; /* P: taken by this core */
    uint64_t rings;      /* P: of a doorbell: the sum of all counts */
};

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
 * Odd while this core looks at its vector table in an interrupt. Who takes an entry away waits
 * until it has been even (smp/ipi.c, steps H1 and R5).
 */
DECLARE_PERCPU(_Atomic uint32_t, irq_handling);

/* Make the tables, with this machine's I/O APIC inputs. Returns: 0, -ENOMEM. Context: boot cpu
 * only. */
int irq_init(void);

/* Give core `cpu` its counts. Returns: 0, -ENOMEM. Context: boot cpu only, before it runs. */
int irq_cpu_prepare(cpu_t cpu);

/*
 * Take a free irq for a doorbell at `vector`, from max(16, nr_gsi) up. No vector table is touched.
 * Returns: the irq, or -ENOSPC. Context: thread. Sleeps: no. Locks: irq_lock.
 */
int irq_alloc(const char *name, uint8_t vector, irq_handler handler);

/* Take the irq of an I/O APIC input. Returns: irq, -EINVAL (no such input), -EBUSY. Context: as
 * irq_alloc. */
int irq_claim_line(uint32_t gsi, const char *name, uint8_t vector, irq_handler handler);

/*
 * Take the ISA interrupt `isa_irq` (0..15) for a device: its input is routed to the boot core, at a
 * free one of the devices' vectors, and open when this returns.
 * Returns: the irq, -EINVAL (isa_irq), -ENODEV (no I/O APIC has it), -EBUSY (taken), -ENOSPC (no
 * vector). Context: thread. Locks: irq_lock, ioapic_lock.
 */
int irq_request_isa(uint8_t isa_irq, const char *name, irq_handler handler);

/* Give it back: no vector table names it and no handler runs any more. Context: as irq_alloc. */
void irq_free(uint32_t irq);

/* The first irq that is not an I/O APIC input's. Context: any. */
uint32_t irq_first_message(void);

/* The handler's own data for one core. Context: thread, before the irq can come. */
void irq_set_cookie(uint32_t irq, cpu_t cpu, void *cookie);

/* What core `cpu` has counted for `irq`; a snapshot. Context: any. */
struct irq_stat irq_stat_of(uint32_t irq, cpu_t cpu);

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
