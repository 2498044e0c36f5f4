// SPDX-License-Identifier: MIT
/* What boot.asm hands to C, and what is kept of it. */
#pragma once

#include "arch/arch.h"
#include "arch/x86_64/boot_info.h"

enum loader { LOADER_UNKNOWN, LOADER_MULTIBOOT2, LOADER_PVH };

/*
 * The first C function, on the boot stack, with the tables of boot.asm: `info` is the loader's boot
 * information, `image_base` where image_start lies in RAM, `ticks` the cycle counter at the entry.
 * Context: boot cpu only. Never returns.
 */
__attribute__((noreturn)) void arch_entry(uint32_t loader, paddr_t info, paddr_t image_base,
                                          uint64_t ticks);

extern struct boot_info boot_info; /* I: copied out before anything can overwrite it */
extern paddr_t image_base;         /* I: physical address of image_start */

/* Physical address of a byte of the kernel image. Context: any. */
paddr_t image_to_phys(const void *va);
