// SPDX-License-Identifier: MIT
/*
 * Whatever happens to a range happens to whole regions: first those at its two ends are cut there
 * (for which room for two is reserved), then the regions between are moved, dropped or changed, and
 * at last those that now belong together are joined. Mostly a program maps memory right below other
 * memory, and unmaps the lower part again: then that region's start moves, and nothing else does.
 */
#include "vm/regions.h"

#include "lib/errno.h"
#include "lib/text.h"
#include "mm/heap.h"

enum { ROOM_FIRST = 16 };

void regions_free(struct regions *regions)
{
    heap_free(regions->list);
    *regions = (struct regions){0};
}

int regions_reserve(struct regions *regions, size_t more)
{
    size_t wanted = regions->count + more, room = regions->room == 0 ? ROOM_FIRST : regions->room;
    if (wanted > REGIONS_MAX)
        return -ENOMEM;
    while (room < wanted)
        room *= 2;
    if (room == regions->room)
        return 0;
    struct region *list = heap_alloc(room * sizeof(*list), ALLOC_USER);
    if (list == NULL)
        return -ENOMEM;
    if (regions->count != 0)
        memcpy(list, regions->list, regions->count * sizeof(*list));
    heap_free(regions->list);
    regions->list = list;
    regions->room = room;
    return 0;
}

/* ---- looking --------------------------------------------------------------------------------- */

/* The index of the first region that ends above `va`; the count if none does. */
static size_t index_above(const struct regions *regions, uintptr_t va)
{
    size_t low = 0, high = regions->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (regions->list[middle].end > va)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct region *regions_first_in(const struct regions *regions, uintptr_t start, uintptr_t end)
{
    size_t i = index_above(regions, start);
    return i < regions->count && regions->list[i].start < end ? &regions->list[i] : NULL;
}

const struct region *regions_find(const struct regions *regions, uintptr_t va)
{
    return regions_first_in(regions, va, va + 1);
}

bool regions_cover(const struct regions *regions, uintptr_t start, uintptr_t end)
{
    for (size_t i = index_above(regions, start); start < end; i++) {
        if (i == regions->count || regions->list[i].start > start)
            return false;
        start = regions->list[i].end;
    }
    return true;
}

uintptr_t regions_find_room(const struct regions *regions, uintptr_t low, uintptr_t high,
                            size_t bytes)
{
    size_t i = index_above(regions, high - 1);
    if (i < regions->count && regions->list[i].start < high)
        high = regions->list[i].start;
    while (high >= low && high - low >= bytes) {
        uintptr_t floor = i > 0 && regions->list[i - 1].end > low ? regions->list[i - 1].end : low;
        if (high - floor >= bytes)
            return high - bytes;
        if (i == 0)
            break;
        high = regions->list[--i].start;
    }
    return 0;
}

/* ---- changing -------------------------------------------------------------------------------- */

/* Move the regions from `from` on to where `to` is; the array has the room. */
static void shift(struct regions *regions, size_t from, size_t to)
{
    memmove(&regions->list[to], &regions->list[from],
            (regions->count - from) * sizeof(regions->list[0]));
    regions->count = regions->count + to - from;
}

/* Cut the region around `va` in two there. Returns: the index of the first that begins at or above
 * `va`. */
static size_t cut(struct regions *regions, uintptr_t va)
{
    size_t i = index_above(regions, va);
    if (i == regions->count || regions->list[i].start >= va)
        return i;
    shift(regions, i, i + 1);
    regions->list[i].end = va;
    regions->list[i + 1].start = va;
    return i + 1;
}

static bool belong_together(const struct region *a, const struct region *b)
{
    return a->end == b->start && a->prot == b->prot && a->kind == b->kind;
}

/* Join what belongs together among the regions from `first` up to and including `last`. */
static void join(struct regions *regions, size_t first, size_t last)
{
    if (regions->count == 0)
        return;
    if (last >= regions->count)
        last = regions->count - 1;
    size_t kept = first;
    for (size_t i = first + 1; i <= last; i++) {
        if (belong_together(&regions->list[kept], &regions->list[i]))
            regions->list[kept].end = regions->list[i].end;
        else
            regions->list[++kept] = regions->list[i];
    }
    if (kept < last)
        shift(regions, last + 1, kept + 1);
}

void regions_add(struct regions *regions, struct region region)
{
    size_t i = index_above(regions, region.start);
    if (i < regions->count && belong_together(&region, &regions->list[i])) {
        regions->list[i].start = region.start; /* mmap goes downward: none has to move */
    } else {
        shift(regions, i, i + 1);
        regions->list[i] = region;
    }
    join(regions, i > 0 ? i - 1 : 0, i);
}

void regions_remove(struct regions *regions, uintptr_t start, uintptr_t end)
{
    size_t first = cut(regions, start);
    struct region *region = &regions->list[first];
    if (first < regions->count && region->start < end && region->end > end)
        region->start = end; /* the lower part of one region: none has to move */
    else
        shift(regions, cut(regions, end), first);
}

void regions_protect(struct regions *regions, uintptr_t start, uintptr_t end, uint32_t prot)
{
    size_t first = cut(regions, start);
    size_t behind = cut(regions, end);
    for (size_t i = first; i < behind; i++)
        regions->list[i].prot = prot;
    join(regions, first > 0 ? first - 1 : 0, behind);
}
