// SPDX-License-Identifier: MIT
/*
 * /proc/interrupts and /proc/softirqs, with a column for each core that is online, and /proc/irq.
 * The form is Linux's (kernel/irq/proc.c, arch/x86/kernel/irq.c), so that programs that read it
 * work: a row's name up to the colon, a number for each core, then words.
 *
 * Source: Linux Documentation/core-api/irq/irq-affinity.rst, "SMP IRQ affinity"
 */
#include "fs/procfs.h"
#include "irq/irq.h"
#include "irq/softirq.h"
#include "lib/cpumask_text.h"
#include "lib/errno.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "proc/procfs_parts.h"
#include "smp/cores.h"

enum { NAME_WIDTH = 3, SOFTIRQ_WIDTH = 12, MORE_DIGITS_FROM = 1000 };

/* ---- tables ---------------------------------------------------------------------------------- */

static void put_header(struct procfs_text *text, const struct cpumask *cores, int indent)
{
    procfs_printf(text, "%*s", indent, "");
    cpumask_for_each (cpu, cores)
        procfs_printf(text, "CPU%-8u", cpu);
    procfs_puts(text, "\n");
}

/* How wide the names of rows are: as wide as the numbers of irqs. */
static int name_width(void)
{
    int width = NAME_WIDTH;
    for (uint32_t limit = MORE_DIGITS_FROM; limit <= irq_limit(); limit *= 10)
        width++;
    return width;
}

/* ---- interrupts: rows of irqs ---------------------------------------------------------------- */

static bool any_counted(uint32_t irq, const struct cpumask *cores)
{
    cpumask_for_each (cpu, cores) {
        if (irq_stat_of(irq, cpu).interrupts != 0)
            return true;
    }
    return false;
}

/* Where it comes from and who takes it: "IO-APIC   4-edge      serial". */
static void put_words(struct procfs_text *text, const struct irq_info *info)
{
    const char *flow = strcmp(info->chip, "IPI") == 0 ? "percpu" : info->level ? "fasteoi" : "edge";
    procfs_printf(text, " %8s %*u-%-8s", info->chip, NAME_WIDTH, info->hwirq, flow);
    if (info->names[0] != '\0')
        procfs_printf(text, "  %s", info->names);
    procfs_puts(text, "\n");
}

static void put_irq(struct procfs_text *text, uint32_t irq, const struct cpumask *cores, int width)
{
    struct irq_info info;
    if (irq_get_info(irq, &info) != 0 || (info.handlers == 0 && !any_counted(irq, cores)))
        return;
    procfs_printf(text, "%*u:", width, irq);
    cpumask_for_each (cpu, cores)
        procfs_printf(text, " %10llu", (unsigned long long)irq_stat_of(irq, cpu).interrupts);
    put_words(text, &info);
}

/* ---- interrupts: rows of the kernel's own vectors -------------------------------------------- */

/* These two are one number for the machine. */
static bool is_sum(enum arch_counter which)
{
    return which == ARCH_COUNT_ERROR || which == ARCH_COUNT_MISSED;
}

static void put_counter(struct procfs_text *text, enum arch_counter which,
                        const struct cpumask *cores, int width)
{
    struct arch_counter_row row = arch_counter_row(which);
    uint64_t sum = 0;
    procfs_printf(text, "%*s:", width, row.label);
    cpumask_for_each (cpu, cores) {
        uint64_t count = arch_counter_of(cpu, which);
        sum += count;
        if (!is_sum(which))
            procfs_printf(text, " %10llu", (unsigned long long)count);
    }
    if (is_sum(which))
        procfs_printf(text, " %10llu\n", (unsigned long long)sum);
    else
        procfs_printf(text, "   %s\n", row.what);
}

static int show_interrupts(struct procfs_text *text, void *data)
{
    (void)data;
    struct cpumask cores;
    int width = name_width();
    cpumask_copy(&cores, &smp_online); /* the columns are the same in all rows */
    put_header(text, &cores, width + 8);
    for (uint32_t irq = 0; irq < irq_limit(); irq++)
        put_irq(text, irq, &cores, width);
    for (int which = 0; which < ARCH_COUNTERS; which++) {
        if (!is_sum(which))
            put_counter(text, which, &cores, width);
    }
    put_counter(text, ARCH_COUNT_ERROR, &cores, width);
    put_counter(text, ARCH_COUNT_MISSED, &cores, width);
    return 0;
}

/* ---- softirqs -------------------------------------------------------------------------------- */

static int show_softirqs(struct procfs_text *text, void *data)
{
    (void)data;
    struct cpumask cores;
    cpumask_copy(&cores, &smp_online);
    put_header(text, &cores, SOFTIRQ_WIDTH + 8);
    for (int nr = 0; nr < SOFTIRQ_COUNT; nr++) {
        procfs_printf(text, "%*s:", SOFTIRQ_WIDTH, softirq_name(nr));
        cpumask_for_each (cpu, &cores)
            procfs_printf(text, " %10llu", (unsigned long long)softirq_count_of(nr, cpu));
        procfs_puts(text, "\n");
    }
    return 0;
}

/* ---- irq/N ----------------------------------------------------------------------------------- */

static int put_mask(struct procfs_text *text, const struct cpumask *mask)
{
    char hex[CPUMASK_HEX_MAX];
    cpumask_format_hex(mask, arch_cpu_count(), hex);
    procfs_printf(text, "%s\n", hex);
    return 0;
}

static int put_list(struct procfs_text *text, const struct cpumask *mask)
{
    char *list = heap_alloc(CPUMASK_LIST_MAX, ALLOC_USER);
    if (list == NULL)
        return -ENOMEM;
    cpumask_format_list(mask, arch_cpu_count(), list);
    procfs_puts(text, list);
    procfs_puts(text, "\n");
    heap_free(list);
    return 0;
}

typedef int put_mask_fn(struct procfs_text *text, const struct cpumask *mask);

static int show_affinity(struct procfs_text *text, void *data, put_mask_fn *put)
{
    struct irq_info info;
    int error = irq_get_info(procfs_number(data), &info);
    return error == 0 ? put(text, &info.affinity) : -ESRCH;
}

static int show_smp_affinity(struct procfs_text *text, void *data)
{
    return show_affinity(text, data, put_mask);
}

static int show_smp_affinity_list(struct procfs_text *text, void *data)
{
    return show_affinity(text, data, put_list);
}

static int show_effective(struct procfs_text *text, void *data, put_mask_fn *put)
{
    struct irq_info info;
    struct cpumask mask = {0};
    if (irq_get_info(procfs_number(data), &info) != 0)
        return -ESRCH;
    if (info.cpu != CPU_NONE)
        cpumask_set(&mask, info.cpu);
    return put(text, &mask);
}

static int show_effective_affinity(struct procfs_text *text, void *data)
{
    return show_effective(text, data, put_mask);
}

static int show_effective_affinity_list(struct procfs_text *text, void *data)
{
    return show_effective(text, data, put_list);
}

/* As on Linux, -EIO says that this irq cannot be moved. */
static int set_affinity(void *data, const struct cpumask *mask)
{
    int error = irq_set_affinity(procfs_number(data), mask);
    return error == -EPERM ? -EIO : error;
}

static int write_smp_affinity(void *data, const char *text, size_t len)
{
    struct cpumask mask;
    int error = cpumask_parse_hex(text, len, arch_cpu_count(), &mask);
    return error == 0 ? set_affinity(data, &mask) : error;
}

static int write_smp_affinity_list(void *data, const char *text, size_t len)
{
    struct cpumask mask;
    int error = cpumask_parse_list(text, len, arch_cpu_count(), &mask);
    return error == 0 ? set_affinity(data, &mask) : error;
}

static int show_spurious(struct procfs_text *text, void *data)
{
    struct irq_info info;
    if (irq_get_info(procfs_number(data), &info) != 0)
        return -ESRCH;
    procfs_printf(text, "unhandled %llu\nspurious %llu\ndepth %u\nstuck %d\n",
                  (unsigned long long)info.unhandled, (unsigned long long)info.spurious, info.depth,
                  info.stuck);
    return 0;
}

/* An irq's number is what it stands for, whoever uses it. */
static uint64_t mark_of(uint32_t irq)
{
    struct irq_info info;
    return irq_get_info(irq, &info) == 0 ? UINT64_C(1) + irq : 0;
}

static uint32_t next_irq(uint32_t from)
{
    while (from < irq_limit() && mark_of(from) == 0)
        from++;
    return from < irq_limit() ? from : PROCFS_NO_NUMBER;
}

void procfs_fill_irqs(void)
{
    static const struct procfs_ops interrupts = {.show = show_interrupts},
                                   softirqs = {.show = show_softirqs};
    static const struct procfs_ops smp_affinity = {show_smp_affinity, write_smp_affinity, NULL},
                                   smp_affinity_list = {show_smp_affinity_list,
                                                        write_smp_affinity_list, NULL},
                                   effective = {.show = show_effective_affinity},
                                   effective_list = {.show = show_effective_affinity_list},
                                   spurious = {.show = show_spurious};
    static const struct procfs_entry entries[] = {
        {.name = "smp_affinity", .ops = &smp_affinity},
        {.name = "smp_affinity_list", .ops = &smp_affinity_list},
        {.name = "effective_affinity", .ops = &effective},
        {.name = "effective_affinity_list", .ops = &effective_list},
        {.name = "spurious", .ops = &spurious},
        {0},
    };
    static const struct procfs_numbers irqs = {
        .mark = mark_of, .next = next_irq, .entries = entries};
    (void)procfs_create("interrupts", &interrupts, NULL);
    (void)procfs_create("softirqs", &softirqs, NULL);
    (void)procfs_create_numbers("irq", &irqs);
}
