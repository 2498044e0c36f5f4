// SPDX-License-Identifier: MIT
/*
 * Areas and the frames behind them. The page tables are the truth about single pages; the list of
 * areas says where to look when all is given back.
 */
#include "vm/space.h"

#include "lib/errno.h"
#include "lib/text.h"
#include "mm/page.h"

#define PAGE_MASK ((uintptr_t)PAGE_SIZE - 1)

int space_create(struct space *space)
{
    space->area_count = 0;
    space->root = arch_space_create();
    return space->root == PADDR_NONE ? -ENOMEM : 0;
}

void space_destroy(struct space *space)
{
    for (size_t i = 0; i < space->area_count; i++) {
        const struct space_area *area = &space->areas[i];
        for (uintptr_t va = area->start; va < area->end; va += PAGE_SIZE) {
            paddr_t pa = arch_page_unmap(space->root, va);
            if (pa != PADDR_NONE) /* none: an earlier area had it, or memory ran out here */
                page_free(pa, 0);
        }
    }
    arch_space_destroy(space->root);
    space->root = PADDR_NONE;
}

static int map_page(struct space *space, uintptr_t va, unsigned prot)
{
    paddr_t pa;
    unsigned there;
    if (arch_page_lookup(space->root, va, &pa, &there))
        return there == (prot | PROT_USER) ? 0 : -EINVAL;
    pa = page_alloc(0, ALLOC_USER | ALLOC_ZERO);
    if (pa == PADDR_NONE)
        return -ENOMEM;
    int error = arch_page_map(space->root, va, pa, prot);
    if (error != 0)
        page_free(pa, 0);
    return error;
}

int space_map(struct space *space, uintptr_t start, size_t bytes, unsigned prot)
{
    if (bytes == 0 || start < ARCH_USER_START || start >= ARCH_USER_END ||
        bytes > ARCH_USER_END - start)
        return -EINVAL;
    if (space->area_count == SPACE_AREAS_MAX)
        return -ENOMEM;
    struct space_area *area = &space->areas[space->area_count++];
    area->start = start & ~PAGE_MASK;
    area->end = (start + bytes + PAGE_MASK) & ~PAGE_MASK;
    int error = 0;
    for (uintptr_t va = area->start; va < area->end && error == 0; va += PAGE_SIZE)
        error = map_page(space, va, prot);
    return error;
}

void *space_at(const struct space *space, uintptr_t va)
{
    paddr_t pa;
    unsigned prot;
    if (!arch_page_lookup(space->root, va & ~PAGE_MASK, &pa, &prot))
        return NULL;
    return (char *)arch_direct(pa) + (va & PAGE_MASK);
}

int space_write(const struct space *space, uintptr_t va, const void *data, size_t bytes)
{
    const char *from = data;
    while (bytes > 0) {
        size_t piece = PAGE_SIZE - (va & PAGE_MASK);
        if (piece > bytes)
            piece = bytes;
        void *to = space_at(space, va);
        if (to == NULL)
            return -EFAULT;
        memcpy(to, from, piece);
        va += piece;
        from += piece;
        bytes -= piece;
    }
    return 0;
}
