// SPDX-License-Identifier: MIT
/*
 * The kernel heap: small objects from slabs of one frame, large ones as whole blocks of frames.
 */
#pragma once

#include <stddef.h>

#include "mm/page.h"

enum { HEAP_MAX = (4 << 20) - PAGE_SIZE }; /* the largest object */

/*
 * `size` bytes (1..HEAP_MAX), aligned to 16 (to 64 from 64 bytes on).
 * Returns: the memory, or NULL (none left, size 0 or too large).
 * Context: hardirq with ALLOC_ATOMIC, else thread. Sleeps: no. Locks: takes the slab's lock.
 */
void *heap_alloc(size_t size, enum page_alloc how);

/* Give it back; NULL is passed over; panics on what heap_alloc did not give.
 * Context: hardirq (not NMI). Sleeps: no. */
void heap_free(void *object);
