// SPDX-License-Identifier: MIT
/*
 * Page tables of 4 levels (Intel SDM vol 3A, "4-Level Paging"). The upper half is the kernel's and
 * the same in every address space: its top-level entries are all made in paging_init() and never
 * change afterwards.
 */
#pragma once

#include "arch/arch.h"
#include "mm/memmap.h"

/*
 * Build the kernel's tables and switch to them: the image with W^X and its guard page, and `ranges`
 * (usable RAM) in the direct map.
 * Context: boot cpu only. Panics if there is no memory for the tables.
 */
void paging_init(const struct mem_range *ranges, size_t count);

/* Physical address of the kernel's top-level table, for other cores' CR3. Context: any. */
paddr_t paging_kernel_root(void);

/*
 * A top-level table below 4 GiB that has the kernel's half, and the page at `pa` mapped where it
 * is, executable, for the way into long mode. `pages`: 4 pages below 4 GiB, used for tables.
 * Context: boot cpu only. Returns: its physical address.
 */
paddr_t paging_trampoline_root(paddr_t pages, paddr_t pa, size_t count);

/*
 * Map `bytes` of physical memory at `pa` (any alignment) into the kernel's mapping area, for good.
 * Returns: the address of the byte at pa, or NULL (no memory, no room, address over 52 bits).
 * Context: thread. Locks: kva_lock.
 */
void *map_physical(paddr_t pa, size_t bytes, unsigned prot);

/* Is `va` in a guard page below a kernel stack? Context: any. */
bool paging_is_guard(uintptr_t va);

/*
 * Can the word at `va` (aligned) be read as part of a kernel stack: mapped memory, no device's?
 * Context: any. Locks: none.
 */
bool paging_is_stack(uintptr_t va);

/* What the kernel's half of the address space consists of. */
struct paging_census {
    uint64_t leaves; /* entries that map a page, of whatever size */
    uint64_t writable, executable, writable_executable, user;
};

/* Walk all of it. Context: thread. Takes a moment. */
struct paging_census paging_count_pages(void);
