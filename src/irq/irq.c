// SPDX-License-Identifier: MIT
/*
 * The tables: all irqs of the machine, and what each core counts for them; which irq a device has;
 * and what reports read.
 */
#include "irq/irq.h"

#include "irq/irq_internal.h"
#include "irq/timer.h"
#include "lib/errno.h"
#include "lib/text.h"
#include "mm/heap.h"

enum {
    MESSAGE_FIRST_MIN = 16, /* ISA's 16 numbers stay free for lines */
    MESSAGES_MAX = 256,     /* rings (206 vectors) and the devices' messages */
};

struct spinlock irq_control = SPINLOCK(RANK_IRQ_CONTROL, "irq control");
struct spinlock irq_table_lock = SPINLOCK(RANK_IRQ, "irq");
struct irq_desc *irq_descs;
uint32_t irq_count;
static uint32_t first_message; /* I */

DEFINE_PERCPU(struct irq_row *, irq_rows);

/* ---- set-up ---------------------------------------------------------------------------------- */

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
    struct irq_row *rows = heap_alloc(irq_count * sizeof(*rows), ALLOC_KERNEL | ALLOC_ZERO);
    if (rows == NULL)
        return -ENOMEM;
    for (uint32_t irq = 0; irq < irq_count; irq++)
        rows[irq].doorbell = irq_descs[irq].doorbell;
    *percpu_of(cpu, irq_rows) = rows;
    clear_vector_table(*percpu_of(cpu, vector_table));
    timer_cpu_prepare(cpu);
    return 0;
}

static void allow_every_core(struct irq_desc *desc)
{
    for (cpu_t cpu = 0; cpu < MAX_CPUS; cpu++)
        cpumask_set(&desc->affinity, cpu);
}

static void set_trigger(struct irq_desc *desc, bool level, bool active_low)
{
    desc->status &= ~(uint32_t)(DESC_LEVEL | DESC_ACTIVE_LOW);
    desc->status |= (level ? DESC_LEVEL : 0u) | (active_low ? DESC_ACTIVE_LOW : 0u);
}

static void prepare_desc(struct irq_desc *desc)
{
    desc->lock = (struct spinlock)SPINLOCK(RANK_IRQ_DESC, "irq desc");
    desc->status = DESC_NO_HANDLER | DESC_MASKED;
    desc->cpu = CPU_NONE;
    allow_every_core(desc);
    uint32_t irq = irq_number(desc);
    if (irq < arch_gsi_count() && arch_line_exists(irq)) {
        desc->chip = &irq_chip_ioapic;
        desc->hwirq = irq;
    }
}

int irq_init(void)
{
    uint32_t lines = arch_gsi_count();
    first_message = lines > MESSAGE_FIRST_MIN ? lines : MESSAGE_FIRST_MIN;
    irq_count = first_message + MESSAGES_MAX;
    clear_vector_table(vector_table); /* the template, which stands for cores never prepared */
    irq_descs = heap_alloc(irq_count * sizeof(*irq_descs), ALLOC_KERNEL | ALLOC_ZERO);
    if (irq_descs == NULL)
        return -ENOMEM;
    for (uint32_t irq = 0; irq < irq_count; irq++)
        prepare_desc(&irq_descs[irq]);
    struct arch_line line;
    for (uint8_t isa_irq = 0; arch_line_of_isa(isa_irq, &line) != -EINVAL; isa_irq++) {
        if (line.gsi < lines)
            set_trigger(&irq_descs[line.gsi], line.level, line.active_low);
    }
    return 0;
}

uint32_t irq_limit(void)
{
    return irq_count;
}

uint32_t irq_first_message(void)
{
    return first_message;
}

/* ---- which irq ------------------------------------------------------------------------------- */

int irq_of_gsi(uint32_t gsi, bool level, bool active_low)
{
    if (gsi >= arch_gsi_count())
        return arch_gsi_count() == 0 ? -ENODEV : -EINVAL;
    struct irq_desc *desc = &irq_descs[gsi];
    if (desc->chip == NULL)
        return -ENODEV;
    int result = (int)gsi;
    spin_lock(&irq_control);
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    bool agrees = ((desc->status & DESC_LEVEL) != 0) == level &&
                  ((desc->status & DESC_ACTIVE_LOW) != 0) == active_low;
    if (desc->actions == NULL)
        set_trigger(desc, level, active_low);
    else if (!agrees)
        result = -EBUSY;
    spin_unlock_irqrestore(&desc->lock, flags);
    spin_unlock(&irq_control);
    return result;
}

int irq_of_isa(uint8_t isa_irq)
{
    struct arch_line line;
    int error = arch_line_of_isa(isa_irq, &line);
    return error == 0 ? irq_of_gsi(line.gsi, line.level, line.active_low) : error;
}

int irq_alloc_msi(const struct irq_msi_ops *ops, void *data, uint32_t hwirq)
{
    int result = -ENOSPC;
    if (!arch_irq_targetable(0))
        return -ENODEV;
    uint64_t flags = spin_lock_irqsave(&irq_table_lock);
    for (uint32_t irq = first_message; irq < irq_count; irq++) {
        struct irq_desc *desc = &irq_descs[irq];
        if (desc->used)
            continue;
        desc->used = true;
        desc->chip = &irq_chip_msi;
        desc->msi = ops;
        desc->msi_data = data;
        desc->hwirq = hwirq;
        desc->unhandled = 0;
        desc->spurious = 0;
        desc->status = DESC_NO_HANDLER | DESC_MASKED;
        desc->vector = 0;
        allow_every_core(desc);
        irq_clear_rows(irq);
        result = (int)irq;
        break;
    }
    spin_unlock_irqrestore(&irq_table_lock, flags);
    return result;
}

void irq_free_msi(uint32_t irq)
{
    uint64_t flags = spin_lock_irqsave(&irq_table_lock);
    ASSERT(irq < irq_count && irq_descs[irq].chip == &irq_chip_msi &&
           irq_descs[irq].actions == NULL);
    irq_descs[irq].used = false;
    irq_descs[irq].chip = NULL;
    spin_unlock_irqrestore(&irq_table_lock, flags);
}

/* ---- reports --------------------------------------------------------------------------------- */

static bool has_rows(cpu_t cpu)
{
    return percpu_offsets[cpu] != 0 && *percpu_of(cpu, irq_rows) != NULL;
}

void irq_clear_rows(uint32_t irq)
{
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        if (has_rows(cpu))
            (*percpu_of(cpu, irq_rows))[irq] =
                (struct irq_row){.doorbell = irq_descs[irq].doorbell};
    }
}

struct irq_stat irq_stat_of(uint32_t irq, cpu_t cpu)
{
    return has_rows(cpu) ? (*percpu_of(cpu, irq_rows))[irq].stat : (struct irq_stat){0};
}

/* The handlers' names, as many as there is room for. Locks: caller holds desc->lock. */
static void list_names(const struct irq_desc *desc, struct irq_info *info)
{
    size_t at = 0;
    info->names[0] = '\0';
    for (const struct irq_action *action = desc->actions; action != NULL; action = action->next) {
        info->handlers++;
        if (at < sizeof(info->names))
            at += (size_t)snprintf(info->names + at, sizeof(info->names) - at, "%s%s",
                                   at == 0 ? "" : ", ", action->name);
    }
}

static void report_device(const struct irq_desc *desc, struct irq_info *info)
{
    info->chip = desc->chip->name;
    info->level = (desc->status & DESC_LEVEL) != 0;
    info->active_low = (desc->status & DESC_ACTIVE_LOW) != 0;
    info->cpu = desc->cpu;
    list_names(desc, info);
}

static void report_ring(const struct irq_desc *desc, struct irq_info *info)
{
    info->chip = "IPI";
    info->cpu = CPU_NONE;
    info->handlers = 1;
    (void)snprintf(info->names, sizeof(info->names), "%s", desc->name);
}

/* Locks: caller holds desc->lock and irq_table_lock. Returns: does anybody have the irq? */
static bool report(const struct irq_desc *desc, struct irq_info *info)
{
    if (desc->chip != NULL)
        report_device(desc, info);
    else if (desc->used)
        report_ring(desc, info);
    else
        return false;
    info->hwirq = desc->hwirq;
    info->depth = desc->depth;
    info->stuck = (desc->status & DESC_STUCK) != 0;
    info->vector = desc->vector;
    info->unhandled = desc->unhandled;
    info->spurious = desc->spurious;
    cpumask_copy(&info->affinity, &desc->affinity);
    return true;
}

int irq_get_info(uint32_t irq, struct irq_info *info)
{
    if (irq >= irq_count)
        return -EINVAL;
    struct irq_desc *desc = &irq_descs[irq];
    *info = (struct irq_info){0};
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    spin_lock(&irq_table_lock);
    bool found = report(desc, info);
    spin_unlock(&irq_table_lock);
    spin_unlock_irqrestore(&desc->lock, flags);
    return found ? 0 : -ENOENT;
}
