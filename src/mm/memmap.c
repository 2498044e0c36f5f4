// SPDX-License-Identifier: MIT
/*
 * Memory map arithmetic. Firmware lists come unsorted and overlapping; a frame that two entries
 * claim belongs to the more restrictive one.
 *
 * memmap_normalize walks along the address space from one edge of an entry to the next and asks,
 * for each piece between two edges, who covers it. That is quadratic, and needs no scratch memory,
 * no sorting and no recursion; the lists are short and it runs once.
 */
#include "mm/memmap.h"

#include "lib/text.h"

/* How much a type forbids; 0 is for what no entry covers. */
static int strictness(uint32_t type)
{
    switch (type) {
    case MEMMAP_USABLE:
        return 1;
    case MEMMAP_ACPI_RECLAIM:
        return 2;
    case MEMMAP_ACPI_NVS:
        return 3;
    case MEMMAP_BAD:
        return 5;
    default:
        return 4;
    }
}

static uint32_t known_type(uint32_t type)
{
    bool known = type >= MEMMAP_USABLE && type <= MEMMAP_BAD;
    return known ? type : (uint32_t)MEMMAP_RESERVED;
}

/* The lowest edge of an entry above `from`, or at it if `inclusive`. Returns: false if none is. */
static bool next_edge(const struct mem_range *in, size_t n, paddr_t from, bool inclusive,
                      paddr_t *edge)
{
    bool found = false;

    for (size_t i = 0; i < n; i++) {
        const paddr_t edges[2] = {in[i].start, in[i].end};
        if (in[i].end <= in[i].start)
            continue;
        for (int k = 0; k < 2; k++) {
            if (edges[k] < from || (edges[k] == from && !inclusive))
                continue;
            if (!found || edges[k] < *edge)
                *edge = edges[k];
            found = true;
        }
    }
    return found;
}

/* The type that holds at `address`, or 0 if no entry covers it. */
static uint32_t type_at(const struct mem_range *in, size_t n, paddr_t address)
{
    uint32_t type = 0;
    int strictest = 0;

    for (size_t i = 0; i < n; i++) {
        if (address < in[i].start || address >= in[i].end)
            continue;
        if (strictness(in[i].type) > strictest) {
            strictest = strictness(in[i].type);
            type = known_type(in[i].type);
        }
    }
    return type;
}

size_t memmap_normalize(const struct mem_range *in, size_t n, struct mem_range *out, size_t cap)
{
    size_t count = 0;
    paddr_t start, end;

    if (!next_edge(in, n, 0, true, &start))
        return 0;
    for (; next_edge(in, n, start, false, &end); start = end) {
        uint32_t type = type_at(in, n, start);
        if (type == 0)
            continue;
        if (count > 0 && out[count - 1].end == start && out[count - 1].type == type)
            out[count - 1].end = end;
        else if (count < cap)
            out[count++] = (struct mem_range){.start = start, .end = end, .type = type};
        else
            break;
    }
    return count;
}

/* Put [start, end) away from ranges[at]. Returns: 1 if that made two ranges of it, 0 if not. */
static size_t split_range(struct mem_range *ranges, size_t n, size_t cap, size_t at, paddr_t start,
                          paddr_t end)
{
    struct mem_range low = ranges[at];
    struct mem_range high = ranges[at];

    low.end = start;
    high.start = end;
    if (n >= cap) {
        ranges[at] = low.end - low.start >= high.end - high.start ? low : high;
        return 0;
    }
    memmove(&ranges[at + 2], &ranges[at + 1], (n - at - 1) * sizeof(*ranges));
    ranges[at] = low;
    ranges[at + 1] = high;
    return 1;
}

/* Take out the ranges that have become empty. */
static size_t drop_empty(struct mem_range *ranges, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (ranges[i].start < ranges[i].end)
            ranges[kept++] = ranges[i];
    }
    return kept;
}

size_t memmap_subtract(struct mem_range *ranges, size_t n, size_t cap, paddr_t start, paddr_t end)
{
    if (start >= end)
        return n;
    for (size_t i = 0; i < n; i++) {
        struct mem_range *range = &ranges[i];
        if (end <= range->start || start >= range->end)
            continue;
        if (start > range->start && end < range->end) {
            /* the ranges are disjoint, so no other one is touched */
            return n + split_range(ranges, n, cap, i, start, end);
        }
        if (start > range->start)
            range->end = start;
        else
            range->start = end < range->end ? end : range->end;
    }
    return drop_empty(ranges, n);
}

size_t memmap_page_align(struct mem_range *ranges, size_t n)
{
    const paddr_t in_page = PAGE_SIZE - 1;

    for (size_t i = 0; i < n; i++) {
        if (ranges[i].type != MEMMAP_USABLE)
            continue;
        paddr_t start = ranges[i].start & ~in_page;
        paddr_t end = ranges[i].end & ~in_page;
        /* Below `end` there is room to round up; elsewhere it could wrap round to 0. */
        if (start < end && start != ranges[i].start)
            start += PAGE_SIZE;
        ranges[i].start = start;
        ranges[i].end = end;
    }
    return drop_empty(ranges, n);
}
