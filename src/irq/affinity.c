// SPDX-License-Identifier: MIT
/*
 * Which vector an irq has, on which core, and how it moves to another one with nothing lost or
 * doubled.
 *
 * An edge that comes while its I/O APIC entry is masked is lost, and a device's messages may not be
 * held back at all. So an edge moves while it may come at any time:
 *
 *   M1  find a vector number that is free on both cores (the old one, if the new core has it free)
 *       and let it mean this irq on both: whatever comes from here on finds its handlers
 *   M2  write the vector, then write the destination: each is one write, behind which the entry is
 *       valid and names a core and a vector that mean this irq there
 *   M3  wait until nothing is on its way to the old core: neither at the I/O APIC (delivery
 *       status) nor in the old core's IRR, which it tells when called: it answers with interrupts
 *       off, so what was there before has passed the vector table
 *   M4  free the old core's entries
 *
 * While both cores may take it, the flow lets one of them call the handlers, and keeps the other's
 * edge for it (flow.c).
 *
 * A level waits: it is masked, its last interrupt is ended (Remote IRR; rewriting the entry earlier
 * would leave that set, since the EOI would then name another vector), and only then it is written.
 *
 * All of it is done under irq_control, so vectors are taken and given by one at a time.
 *
 * models/move.pml goes through all interleavings of these steps.
 */
#include "irq/irq_internal.h"
#include "lib/delay.h"
#include "lib/errno.h"
#include "lib/log.h"

#define PATIENCE_NS UINT64_C(1000000000)

enum { DEVICE_VECTORS = ARCH_VECTOR_DEVICE_LAST - ARCH_VECTOR_DEVICE_FIRST + 1 };

int (*irq_call_hook)(cpu_t cpu, void (*fn)(void *arg), void *arg);

static struct cpumask irq_cpus; /* the cores that may be given device interrupts */

/* How many level lines use a vector, on any core: an EOI is told to the I/O APICs by its vector
 * alone, so two lines with the same one end each other's interrupts too early. C: irq_control */
static unsigned level_lines[DEVICE_VECTORS];

void irq_cpu_online(cpu_t cpu)
{
    if (arch_irq_targetable(cpu))
        cpumask_set(&irq_cpus, cpu);
}

/* ---- choosing -------------------------------------------------------------------------------- */

struct place {
    cpu_t cpu;
    uint8_t vector; /* 0: there is none */
};

static bool is_free(cpu_t cpu, unsigned vector)
{
    return atomic_load_explicit(&irq_slot(cpu, vector)->irq, memory_order_relaxed) == IRQ_FREE;
}

static unsigned count_taken(cpu_t cpu)
{
    unsigned taken = 0;
    for (unsigned v = ARCH_VECTOR_DEVICE_FIRST; v <= ARCH_VECTOR_DEVICE_LAST; v++)
        taken += is_free(cpu, v) ? 0 : 1;
    return taken;
}

static bool is_level(const struct irq_desc *desc)
{
    return (desc->status & DESC_LEVEL) != 0;
}

/* Could the irq come at `vector` on core `cpu`, and, for M1, on the core where it is now? */
static bool fits(const struct irq_desc *desc, cpu_t cpu, unsigned vector)
{
    bool must_serve_both = desc->cpu != CPU_NONE && !is_level(desc);
    return is_free(cpu, vector) &&
           (!must_serve_both || vector == desc->vector || is_free(desc->cpu, vector));
}

/* The best vector there: the irq's own if possible; for a level one that no other level uses. */
static uint8_t vector_on(const struct irq_desc *desc, cpu_t cpu)
{
    unsigned best = 0;
    for (unsigned v = ARCH_VECTOR_DEVICE_FIRST; v <= ARCH_VECTOR_DEVICE_LAST; v++) {
        if (!fits(desc, cpu, v))
            continue;
        if (v == desc->vector)
            return (uint8_t)v;
        if (best == 0 || (is_level(desc) && level_lines[v - ARCH_VECTOR_DEVICE_FIRST] <
                                                level_lines[best - ARCH_VECTOR_DEVICE_FIRST]))
            best = v;
    }
    return (uint8_t)best;
}

/* The core of `mask` with the fewest device vectors, of those that have one for the irq. */
static struct place choose(const struct irq_desc *desc, const struct cpumask *mask)
{
    struct place best = {.cpu = CPU_NONE};
    unsigned fewest = DEVICE_VECTORS + 1;
    cpumask_for_each (cpu, &irq_cpus) {
        unsigned taken = count_taken(cpu);
        uint8_t vector = cpumask_test(mask, cpu) ? vector_on(desc, cpu) : 0;
        if (vector == 0 || taken >= fewest)
            continue;
        fewest = taken;
        best = (struct place){cpu, vector};
    }
    return best;
}

static bool any_core_of(const struct cpumask *mask)
{
    cpumask_for_each (cpu, &irq_cpus) {
        if (cpumask_test(mask, cpu))
            return true;
    }
    return false;
}

static bool every_core_of(const struct cpumask *mask)
{
    cpumask_for_each (cpu, &irq_cpus) {
        if (!cpumask_test(mask, cpu))
            return false;
    }
    return true;
}

/* ---- binding --------------------------------------------------------------------------------- */

static void bind(const struct irq_desc *desc, struct place at)
{
    irq_bind(at.cpu, at.vector, irq_number(desc));
}

/* Write the chip's entry and remember it. Locks: caller holds desc->lock. */
static void route(struct irq_desc *desc, struct place at)
{
    if (is_level(desc) && desc->vector != 0)
        level_lines[desc->vector - ARCH_VECTOR_DEVICE_FIRST]--;
    if (is_level(desc))
        level_lines[at.vector - ARCH_VECTOR_DEVICE_FIRST]++;
    desc->cpu = at.cpu;
    desc->vector = at.vector;
    desc->chip->route(desc, at.cpu, at.vector);
}

/* ---- is anything on its way? ----------------------------------------------------------------- */

struct look {
    uint8_t vector;
    bool waits;
};

static void look_at_own_irr(void *arg)
{
    struct look *look = arg;
    look->waits = arch_irq_waits(look->vector);
}

static bool waits_at(struct place at)
{
    struct look look = {.vector = at.vector};
    if (irq_call_hook != NULL && at.cpu != arch_cpu())
        (void)irq_call_hook(at.cpu, look_at_own_irr, &look);
    else
        look_at_own_irr(&look);
    return look.waits;
}

/* At the source, not yet at a Local APIC; or an edge that was sent again and has not come. */
static bool is_under_way(struct irq_desc *desc)
{
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    bool under_way = (desc->status & DESC_REPLAY) != 0 ||
                     (desc->chip->in_flight != NULL && desc->chip->in_flight(desc));
    spin_unlock_irqrestore(&desc->lock, flags);
    return under_way;
}

/* Returns: false if it stays so for 1 s. */
static bool wait_until_landed(struct irq_desc *desc)
{
    uint64_t start = arch_clock_ns();
    while (is_under_way(desc)) {
        if (arch_clock_ns() - start > PATIENCE_NS)
            return false;
        spin_turn();
    }
    return true;
}

/* Steps M3 and M4 for one vector: when this returns it means nothing there. */
static void unbind(struct irq_desc *desc, struct place at)
{
    struct irq_wait wait = irq_wait_begin();
    while (waits_at(at))
        irq_wait_turn(&wait, desc, at.cpu, "take its last interrupt");
    delay_at(DELAY_M4);
    irq_bind(at.cpu, at.vector, IRQ_FREE); /* step M4 */
}

/* ---- first and last handler ------------------------------------------------------------------ */

int irq_take_vector(struct irq_desc *desc)
{
    if (!any_core_of(&irq_cpus))
        return -ENODEV;
    struct place at = choose(desc, &desc->affinity);
    if (at.vector == 0)
        return -ENOSPC;
    bind(desc, at);
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    route(desc, at);
    spin_unlock_irqrestore(&desc->lock, flags);
    return 0;
}

void irq_drop_vector(struct irq_desc *desc)
{
    struct place at = {desc->cpu, desc->vector};
    if (!wait_until_landed(desc))
        log_warn("irq %u: its last interrupt is not answered", irq_number(desc));
    unbind(desc, at);
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    if (is_level(desc))
        level_lines[at.vector - ARCH_VECTOR_DEVICE_FIRST]--;
    desc->cpu = CPU_NONE;
    desc->vector = 0;
    desc->status &= ~(uint32_t)(DESC_PENDING | DESC_REPLAY);
    spin_unlock_irqrestore(&desc->lock, flags);
}

/* ---- moving ---------------------------------------------------------------------------------- */

static int move_edge(struct irq_desc *desc, struct place to)
{
    struct place from = {desc->cpu, desc->vector};
    struct place between = {from.cpu, to.vector};
    delay_at(DELAY_M1);
    bind(desc, to);      /* step M1 */
    bind(desc, between); /* step M1 */
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    if (between.vector != from.vector)
        route(desc, between); /* step M2 */
    delay_at(DELAY_M2);
    route(desc, to); /* step M2 */
    spin_unlock_irqrestore(&desc->lock, flags);
    delay_at(DELAY_M3);
    /* step M3; what has not left after a second is not waited for: should it come after all, it
     * finds the vector free, and is counted as missed */
    if (!wait_until_landed(desc))
        log_warn("irq %u: an interrupt does not leave its controller", irq_number(desc));
    unbind(desc, from);
    if (between.vector != from.vector)
        unbind(desc, between);
    return 0;
}

static void set_moving(struct irq_desc *desc, bool moving)
{
    desc->status = moving ? desc->status | DESC_MOVING : desc->status & ~(uint32_t)DESC_MOVING;
    irq_update_mask(desc);
}

static int move_level(struct irq_desc *desc, struct place to)
{
    struct place from = {desc->cpu, desc->vector};
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    set_moving(desc, true);
    spin_unlock_irqrestore(&desc->lock, flags);

    bool landed = wait_until_landed(desc);
    if (landed)
        bind(desc, to);
    flags = spin_lock_irqsave(&desc->lock);
    if (landed)
        route(desc, to);
    set_moving(desc, false);
    spin_unlock_irqrestore(&desc->lock, flags);

    if (!landed)
        return -ETIMEDOUT;
    unbind(desc, from);
    return 0;
}

static int move(struct irq_desc *desc, struct place to)
{
    return is_level(desc) ? move_level(desc, to) : move_edge(desc, to);
}

/* Let it go to a core of `mask`, if it goes anywhere. Locks: caller holds irq_control. */
static int move_into(struct irq_desc *desc, const struct cpumask *mask)
{
    if (!any_core_of(mask))
        return -EINVAL;
    if (desc->cpu == CPU_NONE || cpumask_test(mask, desc->cpu))
        return 0;
    struct place to = choose(desc, mask);
    return to.vector == 0 ? -ENOSPC : move(desc, to);
}

int irq_set_affinity(uint32_t irq, const struct cpumask *mask)
{
    if (irq >= irq_count)
        return -EINVAL;
    struct irq_desc *desc = &irq_descs[irq];
    if (desc->chip == NULL)
        return desc->used ? -EPERM : -EINVAL;
    spin_lock(&irq_control);
    int error = move_into(desc, mask);
    if (error == 0) {
        uint64_t flags = spin_lock_irqsave(&desc->lock);
        cpumask_copy(&desc->affinity, mask);
        desc->status &= ~(uint32_t)DESC_AFFINITY_SET;
        desc->status |= every_core_of(mask) ? 0u : DESC_AFFINITY_SET;
        spin_unlock_irqrestore(&desc->lock, flags);
    }
    spin_unlock(&irq_control);
    return error;
}

/* Move it where there are at least two fewer. Locks: caller holds irq_control. */
static void spread_one(struct irq_desc *desc)
{
    if (desc->cpu == CPU_NONE || (desc->status & DESC_AFFINITY_SET) != 0)
        return;
    struct place to = choose(desc, &desc->affinity);
    if (to.vector == 0 || count_taken(to.cpu) + 1 >= count_taken(desc->cpu))
        return;
    int error = move(desc, to);
    if (error != 0)
        log_warn("irq %u: it stays on core %u (%d)", irq_number(desc), desc->cpu, error);
}

void irq_spread(void)
{
    spin_lock(&irq_control);
    for (uint32_t irq = 0; irq < irq_count; irq++)
        spread_one(&irq_descs[irq]);
    spin_unlock(&irq_control);
}
