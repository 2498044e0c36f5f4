// SPDX-License-Identifier: MIT
/*
 * The regions of an address space: a sorted array, searched by halving. Neighbours of one kind and
 * protection that touch are one region, so there are few of them, however many calls made them.
 *
 * It is arithmetic alone, and knows no pages: tests/host/test_regions.c holds it against an array
 * of pages.
 *
 * Context: thread, for all of this file. Sleeps: no. Locks: the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum region_kind {
    REGION_ANONYMOUS, /* mmap */
    REGION_IMAGE,     /* the program's segments */
    REGION_HEAP,      /* brk */
    REGION_STACK,
    REGION_GUARD, /* nothing is ever mapped there */
};

struct region {
    uintptr_t start, end; /* whole pages, start < end */
    uint32_t prot;        /* arch.h's PROT_* */
    uint32_t kind;        /* enum region_kind */
};

/* More than any program should meet; Linux has 65530 by default (vm.max_map_count). */
enum { REGIONS_MAX = 65536 };

struct regions {
    struct region *list; /* sorted, disjoint; the heap's */
    size_t count, room;
};

/* Free the list. */
void regions_free(struct regions *regions);

/*
 * Make room for `more` further regions, so that the functions below do not fail: each of them needs
 * room for two. Returns: 0, -ENOMEM (no memory, or more than REGIONS_MAX).
 */
int regions_reserve(struct regions *regions, size_t more);

/* The region of `va`, or NULL. */
const struct region *regions_find(const struct regions *regions, uintptr_t va);

/* The first region that reaches into [start, end), or NULL. */
const struct region *regions_first_in(const struct regions *regions, uintptr_t start,
                                      uintptr_t end);

/* Is all of [start, end) in regions, without a hole? */
bool regions_cover(const struct regions *regions, uintptr_t start, uintptr_t end);

/* Put one in where none is, and join it with its neighbours. Room is reserved. */
void regions_add(struct regions *regions, struct region region);

/* Take [start, end) out of all regions. Room is reserved. */
void regions_remove(struct regions *regions, uintptr_t start, uintptr_t end);

/* Change the protection of what lies in [start, end). Room is reserved. */
void regions_protect(struct regions *regions, uintptr_t start, uintptr_t end, uint32_t prot);

/*
 * The highest place in [low, high) where `bytes` fit between regions. Returns: its start, or 0.
 */
uintptr_t regions_find_room(const struct regions *regions, uintptr_t low, uintptr_t high,
                            size_t bytes);
