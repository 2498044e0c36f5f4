// SPDX-License-Identifier: MIT
/*
 * From the loader to kmain(): copy out what the loader said, before anything can overwrite it.
 *
 * A loader that we do not know, or boot information that makes no sense, is reported by kmain's
 * own means: until then there is no console.
 */
#include "arch/x86_64/entry.h"

#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/multiboot2.h"
#include "arch/x86_64/pvh.h"
#include "lib/log.h"
#include "lib/panic.h"

struct boot_info boot_info;
paddr_t image_base;

/* Spreads the few bits of the counter that nobody can foresee over the whole guard; its lowest byte
 * stays zero, to stop string functions. */
#define STACK_GUARD_MIX UINT64_C(0x9e3779b97f4a7c15)

/* What boot.asm mapped is in reach; called before any other table exists. */
static const void *boot_at(paddr_t pa, size_t length)
{
    if (pa >= BOOT_MAP_END || length > BOOT_MAP_END - pa)
        return NULL;
    return arch_direct(pa);
}

static int read_boot_info(uint32_t loader, paddr_t info)
{
    switch (loader) {
    case LOADER_MULTIBOOT2:
        return multiboot2_parse(arch_direct(info), BOOT_MAP_END - info, &boot_info);
    case LOADER_PVH:
        return pvh_parse(arch_direct(info), boot_at, &boot_info);
    default:
        return -1;
    }
}

/* Never returns, so the guard may change under it; its callees all see the new one. */
__attribute__((no_stack_protector)) void arch_entry(uint32_t loader, paddr_t info, paddr_t base,
                                                    uint64_t ticks)
{
    __stack_chk_guard ^= ticks * STACK_GUARD_MIX & ~UINT64_C(0xff);
    wrmsr(MSR_GS_BASE, 0); /* until the boot core has its own data the template serves */
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    image_base = base;
    clock_set_boot_ticks(ticks);
    int error = read_boot_info(loader, info);
    if (loader == LOADER_UNKNOWN)
        log_err("boot: started by neither Multiboot2 nor PVH: nothing is known of this machine");
    else if (error != 0)
        log_err("boot: the loader's boot information makes no sense: no memory is known");
    else if (boot_info.bad_offset != 0)
        log_warn("boot: the loader's boot information makes no sense from byte %zu on",
                 boot_info.bad_offset);
    if (boot_info.modules_dropped != 0)
        log_warn("boot: %zu boot modules were passed over", boot_info.modules_dropped);
    kmain(boot_info.cmdline);
}
