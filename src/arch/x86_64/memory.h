// SPDX-License-Identifier: MIT
/*
 * From the firmware's memory map to managed page frames: the order in which RAM is handed over.
 */
#pragma once

#include "arch/arch.h"

/*
 * Turn boot_info's map into page frames under mm's care, with the kernel's own page tables: what
 * the image, the boot modules, the first MiB and the tables occupy stays out.
 * Context: boot cpu only. Panics when there is not enough memory to go on.
 */
void memory_init(void);

/*
 * `bytes` (rounded up to pages) of cleared RAM, for good, before mm manages the frames.
 * Returns: its address in the direct map, or NULL. Context: boot cpu only.
 */
void *early_alloc_direct(size_t bytes);

/*
 * `pages` contiguous pages below 1 MiB that the firmware left usable, once, for the trampoline.
 * Returns: the physical address, or PADDR_NONE. Context: boot cpu only.
 */
paddr_t memory_take_low(size_t pages);

/* Give the RAM that boot module `index` occupies to mm; its contents are gone. Context: thread. */
void memory_release_module(size_t index);
