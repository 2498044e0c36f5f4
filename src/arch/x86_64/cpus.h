// SPDX-License-Identifier: MIT
/*
 * Which cores there are: index -> what the firmware says of it.
 *
 * Indices are given once, before any core is started: 0 to the boot core, then the firmware's
 * enabled entries in their order, whatever the ids are.
 */
#pragma once

#include "arch/arch.h"

/* Fill the table from the MADT, or the MP table. Context: boot cpu only, after lapic_init(). */
void cpus_init(void);

/* The highest APIC id of an enabled core, by the MADT alone; 0 without one. Context: boot cpu only,
 * after acpi_init(). */
uint32_t cpus_highest_listed_id(void);

/* What the firmware says of each core, by index. */
struct cpu_identity {
    uint32_t apic_id;
    uint32_t uid;
};
extern struct cpu_identity cpus[MAX_CPUS]; /* I */

/* Context: any, for both. */
static inline uint32_t cpus_apic_id(cpu_t cpu)
{
    return cpus[cpu].apic_id;
}

static inline uint32_t cpus_uid(cpu_t cpu)
{
    return cpus[cpu].uid;
}
