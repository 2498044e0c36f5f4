// SPDX-License-Identifier: MIT
/*
 * The way of a ring from its vector to its handler: the flow of interrupts that belong to one core
 * each.
 *
 * An interrupt looks the vector up in its own core's table and nowhere else, so what other cores
 * do never slows it, and then in the core's row of the irq. Rows are static once made: a stale
 * look-up finds one that is not in use, never freed memory.
 */
#include "irq/doorbell.h"

#include "irq/irq_internal.h"
#include "lib/debug.h"
#include "lib/delay.h"
#include "lib/errno.h"

/* The way of a ring is laid out straight; all else jumps. */
#define EXPECTED(condition) __builtin_expect((condition), true)

DEFINE_PERCPU(struct vector_slot, vector_table[ARCH_VECTOR_COUNT]);
DEFINE_PERCPU(_Atomic uint32_t, irq_handling);

int doorbell_alloc(const char *name, uint8_t vector, doorbell_handler handler)
{
    int result = -ENOSPC;
    uint64_t flags = spin_lock_irqsave(&irq_table_lock);
    for (uint32_t irq = irq_first_message(); irq < irq_count; irq++) {
        struct irq_desc *desc = &irq_descs[irq];
        if (desc->used)
            continue;
        desc->name = name;
        desc->doorbell = handler;
        desc->vector = vector;
        desc->hwirq = vector;
        desc->used = true;
        irq_clear_rows(irq);
        result = (int)irq;
        break;
    }
    spin_unlock_irqrestore(&irq_table_lock, flags);
    return result;
}

void doorbell_free(uint32_t irq)
{
    uint64_t flags = spin_lock_irqsave(&irq_table_lock);
    ASSERT(irq < irq_count && irq_descs[irq].used && irq_descs[irq].chip == NULL);
    irq_descs[irq].used = false;
    irq_descs[irq].doorbell = NULL;
    spin_unlock_irqrestore(&irq_table_lock, flags);
}

void doorbell_set_cookie(uint32_t irq, cpu_t cpu, void *cookie)
{
    (*percpu_of(cpu, irq_rows))[irq].cookie = cookie;
}

/* Returns: false if the count was zero: another interrupt took the rings. */
static inline bool deliver(uint32_t irq, struct vector_slot *slot)
{
    uint64_t count;
    delay_at(DELAY_H3);
    /* step H3; acquire: pairs with the sender's add: what it wrote before the ring is seen */
    count = atomic_exchange_explicit(&slot->pending, 0, memory_order_acquire);
    arch_own_inc(&slot->takes);
    if (!EXPECTED(count != 0))
        return false;
    struct irq_row *row = &this_cpu(irq_rows)[irq];
    row->stat.interrupts++;
    row->stat.rings += count;
    delay_at(DELAY_H4);
    unsigned entered =
        DEBUG_KERNEL ? context_enter_function(CONTEXT_HARDIRQ, (uintptr_t)row->doorbell) : 0;
    row->doorbell(irq, count, row->cookie); /* step H4 */
    if (DEBUG_KERNEL)
        context_leave(CONTEXT_HARDIRQ, entered);
    return true;
}

bool irq_dispatch(uint32_t vector)
{
    struct vector_slot *slot = &(*this_cpu_ptr(vector_table))[vector];
    bool worked = false;
    unsigned entered = DEBUG_KERNEL ? context_enter_interrupt() : 0;
    delay_at(DELAY_H1);
    /* step H1; seq_cst: either the remover sees us inside, or we see that it took the entry away */
    this_cpu_inc(irq_handling);
    delay_at(DELAY_H2);
    uint32_t irq = atomic_load_explicit(&slot->irq, memory_order_acquire); /* step H2 */
    if (EXPECTED(irq != IRQ_FREE))
        worked = deliver(irq & ~IRQ_REMOVING, slot);
    delay_at(DELAY_H5);
    /* step H5; a release: the handler's work is done for who sees the even number */
    this_cpu_inc(irq_handling);
    if (DEBUG_KERNEL)
        context_leave(CONTEXT_HARDIRQ, entered);
    return worked;
}
