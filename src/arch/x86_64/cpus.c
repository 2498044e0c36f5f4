// SPDX-License-Identifier: MIT
/*
 * The table of cores. Entries that are disabled get no index (they are slots for cores that are
 * not there); online-capable ones neither, as they may be plugged in later.
 */
#include "arch/x86_64/cpus.h"

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/lapic.h"
#include "lib/log.h"

struct cpu_identity cpus[MAX_CPUS];
cpu_t cpu_count = 1;
static uint32_t cpus_listed = 1; /* I: enabled by the firmware, those without an index included */

static enum madt_cpu_state state_of(const struct madt_cpu *cpu)
{
    return madt_cpu_usable(cpu->flags, acpi.madt.revision, acpi.has_fadt ? acpi.fadt.revision : 0,
                           acpi.fadt.minor);
}

/* Number of enabled cores; the boot core runs, so it counts whatever its entry says. */
static void add_others(void)
{
    size_t later = 0;
    for (size_t i = 0; i < acpi.madt.cpu_count; i++) {
        const struct madt_cpu *cpu = &acpi.madt.cpus[i];
        if (cpu->apic_id == cpus[0].apic_id) {
            cpus[0].uid = cpu->uid;
            continue;
        }
        enum madt_cpu_state state = state_of(cpu);
        if (state != MADT_CPU_START) {
            later++;
            continue;
        }
        cpus_listed++;
        if (cpu_count == MAX_CPUS)
            continue;
        cpus[cpu_count].apic_id = cpu->apic_id;
        cpus[cpu_count].uid = cpu->uid;
        cpu_count++;
    }
    if (later != 0)
        log_info("cpu: %zu cores of the firmware's table are disabled or for later: left alone",
                 later);
    if (cpus_listed > cpu_count)
        log_warn("cpu: %u cores are more than this kernel numbers: %u get no index", cpus_listed,
                 cpus_listed - cpu_count);
}

uint32_t cpus_highest_listed_id(void)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < acpi.madt.cpu_count; i++) {
        const struct madt_cpu *cpu = &acpi.madt.cpus[i];
        if (state_of(cpu) == MADT_CPU_START && cpu->apic_id > highest)
            highest = cpu->apic_id;
    }
    return highest;
}

void cpus_init(void)
{
    cpus[0].apic_id = lapic_id();
    if (acpi.has_madt)
        add_others();
}

uint32_t arch_cpu_listed(void)
{
    return cpus_listed;
}

uint32_t arch_cpu_hardware_id(cpu_t cpu)
{
    return cpus[cpu].apic_id;
}
