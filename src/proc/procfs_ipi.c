// SPDX-License-Identifier: MIT
/*
 * /proc/ipi: what became of the rings of programs, by vector and core.
 */
#include "fs/procfs.h"
#include "proc/procfs_parts.h"
#include "smp/cores.h"
#include "smp/ipi.h"

static void put_row(struct procfs_text *text, unsigned vector, cpu_t cpu)
{
    struct ipi_counts counts;
    ipi_counts_of(cpu, vector, &counts);
    if (counts.sent == 0 && counts.received == 0 && counts.refused == 0)
        return;
    procfs_printf(text, "%6u  %4u  %12llu  %12llu  %12llu  %12llu\n", vector, cpu,
                  (unsigned long long)counts.sent, (unsigned long long)counts.received,
                  (unsigned long long)counts.folded, (unsigned long long)counts.refused);
}

/* Rows of nothing but zeros are left out. */
static int show_ipi(struct procfs_text *text, void *data)
{
    (void)data;
    procfs_puts(text, "vector  core          sent      received        folded       refused\n");
    for (unsigned vector = ARCH_VECTOR_USER_FIRST; vector <= ARCH_VECTOR_USER_LAST; vector++) {
        if (!ipi_is_user_vector((int)vector))
            continue;
        cpumask_for_each (cpu, &smp_online)
            put_row(text, vector, cpu);
    }
    return 0;
}

void procfs_fill_ipis(void)
{
    static const struct procfs_ops ipi = {.show = show_ipi};
    (void)procfs_create("ipi", &ipi, NULL);
}
