// SPDX-License-Identifier: MIT
/*
 * A program's address space: a list of areas, each a run of pages with one protection, all backed
 * by frames of their own from the start.
 */
#pragma once

#include <stddef.h>

#include "arch/arch.h"

enum { SPACE_AREAS_MAX = 24 };

struct space_area {
    uintptr_t start, end; /* whole pages */
};

struct space {
    paddr_t root; /* arch.h's name of it */
    struct space_area areas[SPACE_AREAS_MAX];
    size_t area_count;
};

/* Make an empty one. Returns: 0, -ENOMEM. Context: thread. Sleeps: no. Locks: none. */
int space_create(struct space *space);

/* Free it with all that is mapped in it; no core uses it. Context: thread. */
void space_destroy(struct space *space);

/*
 * Map cleared frames over every page of [start, start + bytes) with PROT_*; pages that an earlier
 * area has with the same protection are kept. What was mapped before an error goes with the space.
 * Returns: 0, -EINVAL (empty, wraps, not in the programs' range, page there with another
 * protection), -ENOMEM (also: too many areas). Context: thread.
 */
int space_map(struct space *space, uintptr_t start, size_t bytes, unsigned prot);

/*
 * Copy into mapped pages of a space that need not be in use, whatever their protection: for loading
 * programs. Returns: 0, -EFAULT (a page is not mapped). Context: thread.
 */
int space_write(const struct space *space, uintptr_t va, const void *data, size_t bytes);

/*
 * The kernel's address of the byte at `va`, good to the end of its page, or NULL. Context: thread.
 */
void *space_at(const struct space *space, uintptr_t va);
