// SPDX-License-Identifier: MIT
/* See fake_memory.h. */
#include <stdlib.h>
#include <string.h>

#include "fake_memory.h"
#include "mm/heap.h"
#include "mm/page.h"

_Atomic long fake_live;
long fake_fail_after = -1;

static void *fallible(size_t size, enum page_alloc how)
{
    if (fake_fail_after == 0)
        return NULL;
    if (fake_fail_after > 0)
        fake_fail_after--;
    fake_live++;
    void *memory = malloc(size);
    memset(memory, (how & ALLOC_ZERO) != 0 ? 0 : 0xa5, size);
    return memory;
}

void *heap_alloc(size_t size, enum page_alloc how)
{
    return size == 0 || size > HEAP_MAX ? NULL : fallible(size, how);
}

void heap_free(void *object)
{
    fake_live -= object != NULL;
    free(object);
}

void *page_alloc_one(enum page_alloc how)
{
    return fallible(PAGE_SIZE, how);
}

void page_free_one(void *page)
{
    heap_free(page);
}
