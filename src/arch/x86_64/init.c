// SPDX-License-Identifier: MIT
/*
 * The machine's part of the boot core's list (main.c), in the order in which powers appear.
 */
#include "arch/arch.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpus.h"
#include "arch/x86_64/entry.h"
#include "arch/x86_64/ioapic.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/memory.h"
#include "arch/x86_64/mp.h"
#include "arch/x86_64/pic.h"
#include "arch/x86_64/smap.h"
#include "arch/x86_64/trap.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/params.h"
#include "mm/page.h"

void arch_init_cpu(void)
{
    log_info("boot: loaded by %s", boot_info.loader[0] != '\0' ? boot_info.loader : "PVH");
    cpu_features_init();
    smap_patch(); /* needs: the text still writable */
    idt_init();
    idt_load();               /* from here on exceptions are reported, on the boot stack */
    (void)cpu_control_init(); /* it has what it has */
}

void arch_init_memory(void)
{
    memory_init();
    if (cpu_area_alloc(0) != 0)
        panic("not enough memory for the boot core's own data");
    cpu_area_use(0);
    idt_use_stacks(); /* needs: this core's TSS */
    page_cpu_init();  /* needs: this core's own data */
}

void arch_init_platform(const struct params *params)
{
    acpi_init();
    pic_disable();
    lapic_init(params->apic);
    cpus_init();
    (void)lapic_init_cpu(); /* the boot core is in the mode already */
    ioapic_init();
    mp_read_pci(&acpi.madt); /* needs: the I/O APICs */
}

void arch_init_clock(const struct params *params)
{
    struct lapic_timer_reading begin = lapic_timer_begin();
    clock_init(params->clock);
    lapic_timer_calibrate(begin); /* needs: the TSC's rate */
}

const char *arch_boot_cmdline(void)
{
    return boot_info.cmdline;
}

bool arch_boot_cmdline_cut(void)
{
    return boot_info.cmdline_cut;
}

size_t arch_boot_module_count(void)
{
    return boot_info.module_count;
}

const void *arch_boot_module(size_t index, size_t *size)
{
    *size = boot_info.modules[index].end - boot_info.modules[index].start;
    return arch_direct(boot_info.modules[index].start);
}

void arch_boot_module_release(size_t index)
{
    memory_release_module(index);
}
