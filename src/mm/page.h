// SPDX-License-Identifier: MIT
/*
 * Page frames: a buddy allocator over the RAM that the firmware left us, with a small cache of
 * single frames on each core, so that the common allocation touches no shared lock.
 *
 * Three kinds of askers. ALLOC_USER (a program's memory) is refused while less than the reserve is
 * free; ALLOC_KERNEL may go into the upper half of the reserve, ALLOC_ATOMIC (interrupt context)
 * into all of it: what a program does cannot starve the kernel, and an interrupt finds memory.
 *
 * All RAM is in the direct map: arch_direct() reaches every frame.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

enum page_alloc {
    ALLOC_KERNEL = 0,
    ALLOC_USER = 1,
    ALLOC_ATOMIC = 2,
    ALLOC_ZERO = 1 << 8, /* or'ed in: the frames come cleared */
};

/* Does it say ALLOC_ATOMIC? Context: any. */
static inline bool page_alloc_is_atomic(enum page_alloc how)
{
    return ((unsigned)how & ~(unsigned)ALLOC_ZERO) == ALLOC_ATOMIC;
}

/* The largest block: 2^13 frames, 32 MiB. More than anybody asks for: each free block has links in
 * it, and memory that the kernel never touched need not exist yet under an emulator. */
enum { PAGE_MAX_ORDER = 13 };

/* A frame number that no allocation returns. */
#define PADDR_NONE (~(paddr_t)0)

/*
 * 2^order frames, contiguous and aligned to their size (order 0..PAGE_MAX_ORDER).
 * Returns: the physical address, or PADDR_NONE (no memory, or order out of range). Frames that
 * other cores have cached (at most 32 each) are out of reach and do not count for the reserve.
 * Context: hardirq (not NMI) with ALLOC_ATOMIC, else thread. Sleeps: no. Locks: takes the frame
 * lock unless order is 0 and this core's cache serves.
 */
paddr_t page_alloc(unsigned order, enum page_alloc how);

/* One frame through the direct map, or NULL. Context: as page_alloc. */
void *page_alloc_one(enum page_alloc how);

/* Give 2^order frames back, as they were allocated; panics on a double or foreign free.
 * Context: hardirq (not NMI). Sleeps: no. */
void page_free(paddr_t pa, unsigned order);

/* The frame that page_alloc_one gave. NULL is passed over. Context: as page_free. */
void page_free_one(void *page);

/* Frames that may be had, all caches included, and all that are managed. Context: any. */
uint64_t page_count_free(void);
uint64_t page_count_total(void);

/* ---- set-up, boot core only, before other cores run ------------------------------------------ */

/*
 * Bytes of frame descriptors that a range of `frames` frames needs; the caller of
 * page_add_range provides them (mapped, any content).
 */
size_t page_descriptor_bytes(uint64_t frames);

/*
 * Put the frames of [start, end) (page aligned, in the direct map) under the allocator's care, as
 * used; `descriptors` is memory of page_descriptor_bytes() for them. At most PAGE_MAX_RANGES.
 * Returns: 0, -EINVAL (misaligned, empty, overlaps a range), -ENOSPC (too many ranges).
 */
enum { PAGE_MAX_RANGES = 64 };
int page_add_range(paddr_t start, paddr_t end, void *descriptors);

/*
 * Free every whole frame of [start, end) that lies in an added range: the boot code's way to hand
 * over RAM, and later what the boot modules occupied. Context: thread.
 */
void page_release_range(paddr_t start, paddr_t end);

/* ---- each core ------------------------------------------------------------------------------- */

/*
 * From now on this core keeps a cache of single frames; until then it goes to the shared lists. To
 * be called once its per-core data is its own; a second call changes nothing.
 * Context: boot core or cpu being started, on the core itself. Sleeps: no. Locks: none.
 */
void page_cpu_init(void);
