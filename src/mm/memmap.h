// SPDX-License-Identifier: MIT
/*
 * The firmware's memory map made usable: sorted, disjoint, and never more generous than the most
 * careful entry. Pure functions over arrays that the caller provides.
 *
 * Context: any, for all of this file. Sleeps: no. Locks: none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

/* Source: ACPI specification, "Address Range Types". Any other number is treated as reserved. */
enum memmap_type {
    MEMMAP_USABLE = 1,
    MEMMAP_RESERVED = 2,
    MEMMAP_ACPI_RECLAIM = 3, /* RAM again once the ACPI tables have been read */
    MEMMAP_ACPI_NVS = 4,
    MEMMAP_BAD = 5,
};

struct mem_range {
    paddr_t start;
    paddr_t end; /* the first byte after it */
    uint32_t type;
};

/*
 * Sort, cut apart and merge the n ranges of `in` into `out` (another array, of `cap` ranges).
 * Where entries overlap the most restrictive type wins: bad, reserved (or unknown, which becomes
 * reserved), NVS, reclaimable, usable. Entries with end <= start are dropped. The result ascends,
 * and neighbours of one type that touch are one range. Time grows with n * n: n is a few hundred.
 * Returns: the ranges written, at most cap; the highest are left out when they do not fit (cap of
 * 2 * n always suffices), so memory is lost then, never gained.
 */
size_t memmap_normalize(const struct mem_range *in, size_t n, struct mem_range *out, size_t cap);

/*
 * Cut [start, end) out of the n normalised ranges at `ranges`, whatever their type. A range cut in
 * the middle becomes two; if the array (cap ranges) is full the smaller half is lost.
 * Returns: how many ranges there are now. An empty or inverted [start, end) changes nothing.
 */
size_t memmap_subtract(struct mem_range *ranges, size_t n, size_t cap, paddr_t start, paddr_t end);

/*
 * Shrink each usable range to whole pages; those without a whole page go. Other types stay.
 * Returns: how many ranges there are now.
 */
size_t memmap_page_align(struct mem_range *ranges, size_t n);
