// SPDX-License-Identifier: MIT
/*
 * The tables and the way from a vector to its handler.
 *
 * An interrupt looks the vector up in its own core's table and nowhere else, so what other cores
 * do never slows it. Descriptors are static once made: a stale look-up finds a descriptor that is
 * not in use, never freed memory.
 */
#include "irq/irq.h"

#include "irq/timer.h"
#include "lib/debug.h"
#include "lib/delay.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/spinlock.h"
#include "mm/heap.h"

enum {
    MESSAGE_FIRST_MIN = 16, /* ISA's 16 numbers stay free for lines */
    MESSAGES_MAX = 256,     /* rings (206 vectors) and the devices' messages */
};

/* The way of a ring is laid out straight; all else jumps. */
#define EXPECTED(condition) __builtin_expect((condition), true)

DEFINE_PERCPU(struct vector_slot, vector_table[ARCH_VECTOR_COUNT]);
DEFINE_PERCPU(_Atomic uint32_t, irq_handling);
static DEFINE_PERCPU(struct irq_stat *, irq_stats); /* I: an array of irq_count */
static DEFINE_PERCPU(void **, irq_cookies);         /* I: likewise, in the same block of memory */

static struct spinlock irq_lock = SPINLOCK(RANK_IRQ, "irq");
static struct irq_desc *irq_descs; /* I: the array; its entries L: irq_lock */
static uint32_t irq_count;
static uint32_t first_message;

static void clear_vector_table(struct vector_slot table[ARCH_VECTOR_COUNT])
{
    for (unsigned vector = 0; vector < ARCH_VECTOR_COUNT; vector++) {
        atomic_init(&table[vector].pending, 0);
        atomic_init(&table[vector].irq, IRQ_FREE);
        atomic_init(&table[vector].takes, 0);
    }
}

int irq_cpu_prepare(cpu_t cpu)
{
    struct irq_stat *stats =
        heap_alloc(irq_count * (sizeof(*stats) + sizeof(void *)), ALLOC_KERNEL | ALLOC_ZERO);
    if (stats == NULL)
        return -ENOMEM;
    *percpu_of(cpu, irq_stats) = stats;
    *percpu_of(cpu, irq_cookies) = (void **)(stats + irq_count);
    clear_vector_table(*percpu_of(cpu, vector_table));
    timer_cpu_prepare(cpu);
    return 0;
}

int irq_init(void)
{
    uint32_t lines = arch_gsi_count();
    first_message = lines > MESSAGE_FIRST_MIN ? lines : MESSAGE_FIRST_MIN;
    irq_count = first_message + MESSAGES_MAX;
    clear_vector_table(vector_table); /* the template, which stands for cores never prepared */
    irq_descs = heap_alloc(irq_count * sizeof(*irq_descs), ALLOC_KERNEL | ALLOC_ZERO);
    return irq_descs == NULL ? -ENOMEM : 0;
}

uint32_t irq_first_message(void)
{
    return first_message;
}

static void clear_irq(cpu_t cpu, uint32_t irq)
{
    (*percpu_of(cpu, irq_stats))[irq] = (struct irq_stat){0};
    (*percpu_of(cpu, irq_cookies))[irq] = NULL;
}

static void fill(uint32_t irq, const char *name, enum irq_kind kind, uint8_t vector,
                 irq_handler handler)
{
    irq_descs[irq] = (struct irq_desc){
        .name = name, .handler = handler, .kind = kind, .vector = vector, .used = true};
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        if (percpu_offsets[cpu] != 0 && *percpu_of(cpu, irq_stats) != NULL)
            clear_irq(cpu, irq);
    }
}

int irq_alloc(const char *name, uint8_t vector, irq_handler handler)
{
    int result = -ENOSPC;
    uint64_t flags = spin_lock_irqsave(&irq_lock);
    for (uint32_t irq = first_message; irq < irq_count; irq++) {
        if (!irq_descs[irq].used) {
            fill(irq, name, IRQ_DOORBELL, vector, handler);
            result = (int)irq;
            break;
        }
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return result;
}

int irq_claim_line(uint32_t gsi, const char *name, uint8_t vector, irq_handler handler)
{
    if (gsi >= arch_gsi_count())
        return -EINVAL;
    uint64_t flags = spin_lock_irqsave(&irq_lock);
    bool taken = irq_descs[gsi].used;
    if (!taken)
        fill(gsi, name, IRQ_LINE, vector, handler);
    spin_unlock_irqrestore(&irq_lock, flags);
    return taken ? -EBUSY : (int)gsi;
}

/* Returns: 0 if there is none; that is no device's. */
static uint8_t free_device_vector(cpu_t cpu)
{
    for (unsigned vector = ARCH_VECTOR_DEVICE_FIRST; vector <= ARCH_VECTOR_DEVICE_LAST; vector++) {
        if (atomic_load_explicit(&irq_slot(cpu, vector)->irq, memory_order_relaxed) == IRQ_FREE)
            return (uint8_t)vector;
    }
    return 0;
}

int irq_request_isa(uint8_t isa_irq, const char *name, irq_handler handler)
{
    enum { BOOT_CORE = 0 };
    uint32_t gsi;
    uint8_t vector = free_device_vector(BOOT_CORE);
    int irq = arch_isa_irq_gsi(isa_irq, &gsi);
    if (irq == 0)
        irq = vector == 0 ? -ENOSPC : irq_claim_line(gsi, name, vector, handler);
    if (irq < 0)
        return irq;
    irq_bind(BOOT_CORE, vector, (uint32_t)irq); /* first the handler, then its interrupts */
    (void)arch_isa_irq_route(isa_irq, vector, BOOT_CORE, NULL); /* it has that input: see above */
    return irq;
}

void irq_free(uint32_t irq)
{
    uint64_t flags = spin_lock_irqsave(&irq_lock);
    ASSERT(irq < irq_count && irq_descs[irq].used);
    irq_descs[irq].used = false;
    spin_unlock_irqrestore(&irq_lock, flags);
}

void irq_set_cookie(uint32_t irq, cpu_t cpu, void *cookie)
{
    (*percpu_of(cpu, irq_cookies))[irq] = cookie;
}

struct irq_stat irq_stat_of(uint32_t irq, cpu_t cpu)
{
    return (*percpu_of(cpu, irq_stats))[irq];
}

/* Returns: false if a doorbell's count was zero: somebody else's interrupt took its rings. */
static inline bool deliver(uint32_t irq, struct vector_slot *slot)
{
    const struct irq_desc *desc = &irq_descs[irq];
    uint64_t count = 1;
    if (EXPECTED(desc->kind == IRQ_DOORBELL)) {
        delay_at(DELAY_H3);
        /* step H3; acquire: pairs with the sender's add: what it wrote before the ring is seen */
        count = atomic_exchange_explicit(&slot->pending, 0, memory_order_acquire);
        uint32_t takes = atomic_load_explicit(&slot->takes, memory_order_relaxed);
        atomic_store_explicit(&slot->takes, takes + 1, memory_order_relaxed); /* nobody else does */
    }
    if (!EXPECTED(count != 0))
        return false;
    struct irq_stat *stat = &this_cpu(irq_stats)[irq];
    stat->interrupts++;
    stat->rings += count;
    delay_at(DELAY_H4);
    desc->handler(irq, count, this_cpu(irq_cookies)[irq]); /* step H4 */
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
